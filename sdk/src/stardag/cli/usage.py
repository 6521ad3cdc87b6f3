"""What is wrong with a command line, said in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cyclopts.exceptions import (
    MissingArgumentError,
    UnknownCommandError,
    UnusedCliTokensError,
)

from stardag._readable import did_you_mean

if TYPE_CHECKING:
    from cyclopts import CycloptsError


def mistake(error: CycloptsError) -> str:
    """Return what is wrong with a command line, and where to read what would be right."""
    help_of = " ".join(("stardag", *(error.command_chain or ()), "--help"))
    return f"{_what(error).removesuffix('.')} (see `{help_of}`)"


def _what(error: CycloptsError) -> str:
    unused = error.unused_tokens or []
    if isinstance(error, UnknownCommandError) and error.app is not None:
        known = [name for name in error.app if not name.startswith("-")]
        hint = did_you_mean(unused[0], known, otherwise=f"there are {', '.join(known)}")
        return f"there is no command {unused[0]!r}; {hint}"
    if isinstance(error, UnusedCliTokensError):
        return f"there is no use for {', '.join(map(repr, unused))}"
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        given = error.keyword is not None or bool(error.argument.tokens)
        return f"{error.argument.name} {'wants a value' if given else 'is missing'}"
    return " ".join(str(error).split())
