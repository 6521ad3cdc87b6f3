"""From options to a filter of the contract."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from stardag._errors import ConfigError
from stardag.cli.pairs import split_pair
from stardag.cli.spans import read_span
from stardag.client import ServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable


def both(*filters: str) -> str:
    """Return what all the filters ask for; empty ones ask for nothing."""
    asked = [each for each in filters if each.strip()]
    return asked[0] if len(asked) == 1 else " AND ".join(f"({each})" for each in asked)


@contextmanager
def told_as_typed(typed: str, ask: Callable[[str], object]) -> Generator[None]:
    """Tell what is wrong in `typed` by the places of it, not of the filter that it is part of.

    Where the whole is refused, `ask` is called with `typed` alone, to be refused for that.
    """
    try:
        yield
    except ServerError as error:
        if error.reason == "FILTER_INVALID" and typed:
            ask(typed)
        raise


def either(field: str, values: Iterable[str]) -> str:
    """Return the filter for a field with one of some values; for no values, none."""
    return " OR ".join(f"{field} = {value}" for value in values)


def equals(field: str, value: str | None) -> str:
    """Return the filter for a field with this text; for None, none."""
    return "" if value is None else f"{field} = {_text(value)}"


def labelled(pair: str) -> str:
    """Return the filter for `KEY=VALUE`, a label. Raises `ConfigError` for another text."""
    key, value = split_pair("--label", pair)
    return f"labels.{_text(key)} = {_text(value)}"


def parametrized(pair: str) -> str:
    """Return the filter for `NAME=VALUE`, a parameter.

    The value is a number, true, false or null where it reads as one, and else a text; in quotes
    it is a text. Dots and indexes in the name lead into nested values. Raises `ConfigError` for
    another text.
    """
    name, value = split_pair("--param", pair)
    try:
        found = json.loads(value, parse_constant=str)
    except ValueError:
        found = value
    if isinstance(found, dict | list):
        raise ConfigError(
            f"--param {pair}: a list or an object is not compared as a whole; ask for a part of "
            f"it, such as {name}[0]=... or {name}.key=..."
        )
    return f"params.{name} = {_text(found) if isinstance(found, str) else value}"


def since(field: str, text: str | None, now: datetime) -> str:
    """Return the filter for a time not before what `text` says; for None, none.

    That is a span before `now` (`30m`, `6h`, `7d`, `2w`), or a date or time in ISO 8601, without
    a zone that of this machine. Raises `ConfigError` for another text.
    """
    if text is None:
        return ""
    try:
        span = read_span(text)
        moment = datetime.fromisoformat(text) if span is None else now - span
        return f'{field} >= "{moment.astimezone().isoformat()}"'
    except (ValueError, OverflowError):
        raise ConfigError(
            f"--since {text}: that is no span such as 30m, 6h or 7d, and no date or time such as "
            "2026-01-31 or 2026-01-31T08:00"
        ) from None


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
