"""Where output goes: tables for people and JSON for programs to stdout, notes to stderr."""

from __future__ import annotations

import functools
import json
import re
import sys
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import MessageToDict
from rich.console import Console

from stardag._readable import printable

if TYPE_CHECKING:
    from google.protobuf.message import Message


_NOT_PLAIN = re.compile(r"[^\n -~]")
WIDE = 120
"""Columns from which on tables have whole ids."""


@functools.cache
def console() -> Console:
    """Return the console on stdout; as wide as the terminal, or wide enough for ids in a pipe."""
    return Console(width=None if sys.stdout.isatty() else 160, highlight=False)


def is_wide() -> bool:
    """Return whether tables have whole ids."""
    return console().width >= WIDE


def can_redraw() -> bool:
    """Return whether what was printed can be drawn over: in a terminal, and one that can."""
    return sys.stdout.isatty() and not console().is_dumb_terminal


def as_dict(message: Message) -> dict[str, Any]:
    """Return a message as its JSON object, with the field names of the contract.

    Every field is there, whatever its value, but messages and optional fields that are not set.
    """
    return MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def print_json(value: Any, *, indent: int | None = 2) -> None:
    """Print a value as JSON, and flush; without `indent` in one line.

    Characters that could control a terminal are escaped, others come as they are.
    """
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    print(_NOT_PLAIN.sub(_escaped, text), flush=True)


def note(text: str) -> None:
    """Say on stderr what is to be known about the output, and is no part of it."""
    print(f"stardag: {printable(text)}", file=sys.stderr)


def _escaped(character: re.Match[str]) -> str:
    return character[0] if character[0].isprintable() else json.dumps(character[0])[1:-1]
