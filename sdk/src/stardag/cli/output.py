"""Where output goes: tables for people, JSON for programs."""

from __future__ import annotations

import functools
import json
import sys
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import MessageToDict
from rich.console import Console

if TYPE_CHECKING:
    from google.protobuf.message import Message


@functools.cache
def console() -> Console:
    """Return the console on stdout; as wide as the terminal, or wide enough for ids in a pipe."""
    return Console(width=None if sys.stdout.isatty() else 160, highlight=False)


def as_dict(message: Message) -> dict[str, Any]:
    """Return a message as its JSON object, with the field names of the contract."""
    return MessageToDict(message, preserving_proto_field_name=True)


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    print(json.dumps(value, indent=2, ensure_ascii=False))
