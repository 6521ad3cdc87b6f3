"""Assets on their way: files beside a stream's segments, until the server has them.

    <spool>/<stream id>/assets/<number>.asset  an `AssetDraft` (its length as u32 before it), then
                                               the content
    <spool>/<stream id>/assets/refused/        those that the server will not take

A file appears whole, by a rename. The numbers follow the order in which assets were shown.
"""

from __future__ import annotations

import hashlib
import os
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

from stardag.tracking import wire
from stardag.tracking.redaction import presentable

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from stardag.assets import Asset

_LENGTH = struct.Struct(">I")
_DESCRIPTION = 1024


def draft(build: UUID, task: UUID, asset: Asset, content: bytes) -> bytes:
    """Return the serialized `AssetDraft` of an asset that a task of a build shows."""
    return b"".join(
        (
            wire.text(1, str(task)),
            wire.text(2, asset.name),
            wire.number(3, asset.kind),
            wire.text(4, asset.media_type),
            wire.text(5, presentable(asset.description, _DESCRIPTION)),
            wire.text(6, str(build)),
            wire.text(7, hashlib.sha256(content).hexdigest()),
        )
    )


def write_asset(stream: Path, number: int, draft: bytes, content: bytes) -> None:
    """Keep an asset. Raises `OSError`; nothing is kept then."""
    folder = stream / "assets"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{number:010d}.asset"
    partial = path.with_suffix(".new")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(_LENGTH.pack(len(draft)) + draft)
            file.write(content)
        partial.rename(path)
    except OSError:
        with suppress(OSError):  # the disk is full, or gone
            partial.unlink()
        raise


def read_asset(path: Path) -> tuple[bytes, bytes]:
    """Return the serialized draft and the content. Raises `OSError`; `ValueError` if damaged."""
    data = path.read_bytes()
    if len(data) < _LENGTH.size:
        raise ValueError(f"{path} is cut off")
    (length,) = _LENGTH.unpack_from(data)
    begin = _LENGTH.size + length
    if len(data) <= begin:
        raise ValueError(f"{path} is cut off")
    return data[_LENGTH.size : begin], data[begin:]


def waiting_assets(stream: Path) -> list[Path]:
    """Return the files of a stream's assets that are not delivered, in their order."""
    try:
        names = [entry.name for entry in os.scandir(stream / "assets")]
    except FileNotFoundError:
        return []
    return [stream / "assets" / name for name in sorted(names) if name.endswith(".asset")]


def refuse_asset(path: Path) -> None:
    """Put an asset aside that the server will not take, for people to look at."""
    refused = path.parent / "refused"
    refused.mkdir(mode=0o700, exist_ok=True)
    path.rename(refused / path.name)
