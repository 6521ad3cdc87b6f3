"""`name=value`, as options say what has a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stardag._errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable


def split_pair(option: str, text: str) -> tuple[str, str]:
    """Return the name and the value. Raises `ConfigError`, naming the option, for another text."""
    name, separator, value = text.partition("=")
    if not (name and separator):
        raise ConfigError(f"{option} {text}: write {option} {name or 'name'}=value")
    return name, value


def split_pairs(option: str, texts: Iterable[str]) -> dict[str, str]:
    """Return values by name. Raises as `split_pair`, and also for a name that comes twice."""
    pairs: dict[str, str] = {}
    for text in texts:
        name, value = split_pair(option, text)
        if name in pairs:
            raise ConfigError(f"{option} {name} is given twice")
        pairs[name] = value
    return pairs
