"""The Protobuf wire format, as far as writing an event needs it.

The process that builds writes a few kinds of message and reads none, so it does
without the Protobuf runtime, whose import would cost more than tracking a thousand
tasks. Everything that reads uses the generated classes.

Format: https://protobuf.dev/programming-guides/encoding/. As there, a field with its
default value is left out.
"""

from __future__ import annotations

import functools
import struct

_VARINT, _EIGHT_BYTES, _LENGTH_DELIMITED = 0, 1, 2
_DOUBLE = struct.Struct("<d")
_LAST = [bytes((value,)) for value in range(0x80)]
_MORE_FOLLOW = [bytes((value | 0x80,)) for value in range(0x80)]


def varint(value: int) -> bytes:
    """Return the variable-length form of a number from 0 to 2^64 - 1."""
    if value < 0x80:
        return _LAST[value]
    return _MORE_FOLLOW[value & 0x7F] + _rest(value >> 7)


# consecutive moments differ in their low bits, which are not in here
_rest = functools.lru_cache(maxsize=1024)(varint)

_TAGS = [varint(number) for number in range(32 << 3)]


def tag(field: int, wire_type: int) -> bytes:
    """Return what comes before the value of `field`, a number up to 31."""
    return _TAGS[field << 3 | wire_type]


def number(field: int, value: int) -> bytes:
    """Return an unsigned number, a boolean, an enum or a non-negative signed one."""
    return tag(field, _VARINT) + varint(value) if value else b""


def double(field: int, value: float) -> bytes:
    """Return a floating-point number."""
    return tag(field, _EIGHT_BYTES) + _DOUBLE.pack(value) if value else b""


def text(field: int, value: str) -> bytes:
    """Return a string; nothing if it is empty. What UTF-8 can't say becomes `?`."""
    return message(field, value.encode("utf-8", "replace")) if value else b""


def message(field: int, body: bytes) -> bytes:
    """Return a message, which is there even if it is empty, or an element of a list."""
    return tag(field, _LENGTH_DELIMITED) + varint(len(body)) + body
