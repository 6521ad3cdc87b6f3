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
_ONE_BYTE = [bytes((value,)) for value in range(0x80)]


def varint(value: int) -> bytes:
    """Return the variable-length form of a number from 0 to 2^64 - 1."""
    if value < 0x80:
        return _ONE_BYTE[value]
    if value < 0x4000:
        return bytes((value & 0x7F | 0x80, value >> 7))
    return bytes((value & 0x7F | 0x80, value >> 7 & 0x7F | 0x80)) + _varint_of_rest(value >> 14)


@functools.lru_cache(maxsize=256)
def _varint_of_rest(value: int) -> bytes:
    # consecutive moments differ in their low bits, which are not in here
    return varint(value)


@functools.cache
def tag(field: int, wire_type: int) -> bytes:
    """Return what comes before the value of `field`."""
    return varint(field << 3 | wire_type)


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
