"""Whether the content of an asset is what its kind says."""

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn, TypeGuard, cast

from stardag.v1.asset_pb2 import (
    ASSET_KIND_HTML,
    ASSET_KIND_IMAGE,
    ASSET_KIND_JSON,
    ASSET_KIND_MARKDOWN,
    ASSET_KIND_TABLE,
    AssetKind,
)
from stardag_server.domain import limits
from stardag_server.domain.json_depth import is_too_deep

MAX_COLUMNS = 1_000

_MEDIA_TYPES: Mapping[int, str] = {
    ASSET_KIND_MARKDOWN: "text/markdown",
    ASSET_KIND_JSON: "application/json",
    ASSET_KIND_TABLE: "application/json",
    ASSET_KIND_HTML: "text/html",
}
_IMAGES: Mapping[str, re.Pattern[bytes]] = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/gif": re.compile(rb"GIF8[79]a"),
    "image/webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
}


class ContentInvalid(Exception):
    """The content is not what its kind says; the text tells how."""


def media_type(kind: AssetKind.ValueType, given: str) -> str:
    """Return the media type that content of this kind has.

    `given` may be empty unless it is an image. Raises ContentInvalid if it is
    another one, or the kind is none that this code knows.
    """
    if kind == ASSET_KIND_IMAGE:
        if given not in _IMAGES:
            raise ContentInvalid(f"media_type of an image must be one of {', '.join(_IMAGES)}")
        return given
    settled = _MEDIA_TYPES.get(kind)
    if settled is None:
        raise ContentInvalid("kind must be one that this server knows")
    if given not in ("", settled):
        raise ContentInvalid(f"media_type of this kind is {settled}")
    return settled


def check_content(kind: AssetKind.ValueType, media_type: str, content: bytes) -> None:
    """Raise ContentInvalid unless the content is of the kind. Takes a second for 64 MiB."""
    if kind == ASSET_KIND_IMAGE:
        if not _IMAGES[media_type].match(content):
            raise ContentInvalid(f"it does not begin as {media_type} does")
        return
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise ContentInvalid(f"it is not UTF-8, at byte {error.start}") from None
    if kind in (ASSET_KIND_JSON, ASSET_KIND_TABLE):
        if is_too_deep(text):
            raise ContentInvalid(f"it is JSON of more than {limits.MAX_JSON_DEPTH} levels")
        value = _parse(content)
        if kind == ASSET_KIND_TABLE:
            _check_table(value)


def _parse(content: bytes) -> Any:
    try:
        return json.loads(content, parse_constant=_refuse_constant)
    except ValueError as error:
        raise ContentInvalid(f"it is not JSON: {error}") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ContentInvalid(f"it is not JSON: {name} is none of its values")


def _check_table(value: Any) -> None:
    table = cast(dict[str, Any], value) if isinstance(value, dict) else {}
    if {*table} != {"columns", "rows"}:
        raise ContentInvalid('a table is an object of "columns" and "rows"')
    columns, rows = table["columns"], table["rows"]
    if not _is_list(columns) or not all(isinstance(column, str) for column in columns):
        raise ContentInvalid('"columns" must be a list of texts')
    if len(columns) > MAX_COLUMNS:
        raise ContentInvalid(f"a table has at most {MAX_COLUMNS} columns")
    if not _is_list(rows):
        raise ContentInvalid('"rows" must be a list')
    for index, row in enumerate(rows):
        if not _is_list(row) or len(row) != len(columns):
            raise ContentInvalid(f"row {index} must be a list of {len(columns)} values")
        if any(isinstance(cell, dict | list) for cell in row):
            raise ContentInvalid(f"row {index} has what is no text, number, truth value or null")


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)
