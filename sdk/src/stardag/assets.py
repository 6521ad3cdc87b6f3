"""Assets: what a task shows to people, beside its output. The tracking service keeps them.

A task returns them from `registry_assets`, or passes them to `log_asset` while it runs.
Making one raises `ValueError` if it can't be shown.
"""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

__all__ = ["Asset", "HtmlAsset", "ImageAsset", "JsonAsset", "MarkdownAsset", "TableAsset"]

MAX_BYTES = 64 << 20
"""Most bytes that an asset's content may have."""

_MAX_NAME, _MAX_DESCRIPTION = 255, 1024
_MAX_COLUMNS = 1000

# What a file of each kind begins with: (offset, bytes).
_IMAGE_SIGNS: dict[str, list[tuple[int, bytes]]] = {
    "image/png": [(0, b"\x89PNG\r\n\x1a\n")],
    "image/jpeg": [(0, b"\xff\xd8\xff")],
    "image/gif": [(0, b"GIF8")],
    "image/webp": [(0, b"RIFF"), (8, b"WEBP")],
}


@dataclass(frozen=True)
class Asset(ABC):
    """Something to be shown with a task, under a name that is the task's own.

    What is logged again under a name is a new revision of it.
    """

    name: str
    """1 to 255 characters."""
    description: str = field(default="", kw_only=True)
    """Free text, such as a caption; at most 1,024 characters."""

    kind: ClassVar[int]
    """Number of the contract's `AssetKind`."""

    def __post_init__(self) -> None:
        """Raise `ValueError` for what can't be shown."""
        if not 1 <= len(self.name) <= _MAX_NAME:
            raise ValueError(f"the name of an asset has 1 to {_MAX_NAME} characters")
        if len(self.description) > _MAX_DESCRIPTION:
            raise ValueError(f"a description has at most {_MAX_DESCRIPTION:,} characters")
        content = self.content()
        if not content:
            raise ValueError(f"the asset {self.name!r} is empty")
        if len(content) > MAX_BYTES:
            raise ValueError(
                f"the asset {self.name!r} has {len(content):,} bytes; at most {MAX_BYTES >> 20} MiB"
            )

    @property
    def media_type(self) -> str:
        """Media type of the content; empty if its kind says it all."""
        return ""

    @abstractmethod
    def content(self) -> bytes:
        """Return what is kept."""


@dataclass(frozen=True)
class MarkdownAsset(Asset):
    """A text in CommonMark. HTML in it is not shown."""

    text: str = ""
    kind: ClassVar[int] = 1

    def content(self) -> bytes:
        """Return the text in UTF-8."""
        return self.text.encode("utf-8", "replace")


@dataclass(frozen=True)
class HtmlAsset(Asset):
    """A page in HTML, which is shown in a sandbox: its scripts do not run."""

    html: str = ""
    kind: ClassVar[int] = 5

    def content(self) -> bytes:
        """Return the page in UTF-8."""
        return self.html.encode("utf-8", "replace")


@dataclass(frozen=True)
class JsonAsset(Asset):
    """Anything that Pydantic can write as JSON; NaN and infinity become null."""

    value: Any = None
    kind: ClassVar[int] = 2

    def content(self) -> bytes:
        """Return the value as JSON."""
        from pydantic_core import PydanticSerializationError, to_json

        try:
            return to_json(self.value, inf_nan_mode="null")
        except PydanticSerializationError as error:
            raise ValueError(f"the asset {self.name!r} can't be written as JSON: {error}") from None


@dataclass(frozen=True)
class TableAsset(Asset):
    """Rows of texts, numbers, truth values and nulls; what is none of these is shown as text."""

    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    kind: ClassVar[int] = 3

    @classmethod
    def from_frame(cls, name: str, frame: Any, *, description: str = "") -> Self:
        """Return a pandas or polars frame as a table, without the index that pandas has."""
        rows = frame.rows() if hasattr(frame, "rows") else frame.itertuples(index=False, name=None)
        columns = [str(column) for column in frame.columns]
        return cls(name, columns, list(rows), description=description)

    def content(self) -> bytes:
        """Return the table as the contract has it. Raises `ValueError` if rows do not fit."""
        if not 1 <= len(self.columns) <= _MAX_COLUMNS:
            raise ValueError(f"the table {self.name!r} must have 1 to {_MAX_COLUMNS} columns")
        for number, row in enumerate(self.rows, 1):
            if len(row) != len(self.columns):
                raise ValueError(
                    f"row {number} of the table {self.name!r} has {len(row)} values for "
                    f"{len(self.columns)} columns"
                )
        rows = [[_cell(value) for value in row] for row in self.rows]
        return json.dumps({"columns": list(self.columns), "rows": rows}).encode()


@dataclass(frozen=True)
class ImageAsset(Asset):
    """An image: PNG, JPEG, GIF or WebP, as the bytes of its file. Not SVG, which has scripts."""

    image: bytes = field(default=b"", repr=False)
    kind: ClassVar[int] = 4

    @property
    def media_type(self) -> str:
        """The type that the content begins like. Raises `ValueError` if it is none of these."""
        for media_type, signs in _IMAGE_SIGNS.items():
            if all(self.image[at:].startswith(sign) for at, sign in signs):
                return media_type
        raise ValueError(f"the asset {self.name!r} is no PNG, JPEG, GIF or WebP")

    def content(self) -> bytes:
        """Return the image."""
        assert self.media_type
        return self.image


def _cell(value: Any) -> str | int | float | bool | None:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Real):  # those of NumPy are real numbers too
        number = float(value)
        return number if math.isfinite(number) else None
    return str(value)
