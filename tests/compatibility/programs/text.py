"""Text is written in ASCII, whatever is in it; bytes as the text that they are in UTF-8."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any
from uuid import UUID

from programs.dialect import Cases, Made
from pydantic import AnyUrl, HttpUrl, SecretStr

import stardag as sd

sd.namespace("text", __name__)


class Text(Made[int]):
    value: str


class Raw(Made[int]):
    value: bytes


class Place(Made[int]):
    value: Path


class PurePlace(Made[int]):
    value: PurePosixPath


class Key(Made[int]):
    value: UUID


class Link(Made[int]):
    value: AnyUrl


class WebLink(Made[int]):
    value: HttpUrl


class Secret(Made[int]):
    value: SecretStr


class Anything(Made[int]):
    value: Any


TEXTS = {
    "empty text": "",
    "a space": " ",
    "quotes and backslashes": "\"'\\/",
    "control characters": "\x00\x01\n\r\t\x1f\x7f",
    "accents": "é",
    "accents apart": "e\u0301",
    "separators of lines": "\u2028\u2029",
    "beyond the basic plane": "😀𐍈",
    "chinese": "任务",
    "html": "<a href='&amp;'>",
    "a number as text": "1",
    "a long text": "x" * 10_000,
}

CASES: Cases = {
    **{name: lambda value=value: Text(value=value) for name, value in TEXTS.items()},
    **{f"untyped, {n}": lambda value=value: Anything(value=value) for n, value in TEXTS.items()},
    "a lone surrogate": lambda: Text(value="\ud800"),
    "an untyped lone surrogate": lambda: Anything(value="\ud800"),
    "bytes": lambda: Raw(value=b"bytes"),
    "bytes of accents": lambda: Raw(value="é".encode()),
    "bytes given as text": lambda: Raw(value="text"),
    "untyped bytes": lambda: Anything(value=b"bytes"),
    "a path": lambda: Place(value=Path("/a/b/../c.txt")),
    "a relative path": lambda: Place(value="a//b/./c"),
    "a pure path": lambda: PurePlace(value="a/b"),
    "an untyped path": lambda: Anything(value=Path("a/b")),
    "a uuid": lambda: Key(value=UUID("12345678-1234-5678-1234-567812345678")),
    "a uuid given as text": lambda: Key(value="12345678123456781234567812345678"),
    "an untyped uuid": lambda: Anything(value=UUID(int=1)),
    "a url": lambda: Link(value="s3://bucket/key"),
    "a web address": lambda: WebLink(value="https://EXAMPLE.com:443/a b?q=é"),
    "a secret": lambda: Secret(value="secret"),
}
