"""What the sender tells the building process, in files it replaces whole.

<spool>/sender.json               how the sender stands with the server
<spool>/<stream id>/delivery.json how far a stream has come
<spool>/<stream id>/cancels.json  builds of the stream that were asked to stop, and why
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, cast

if TYPE_CHECKING:
    from pathlib import Path

SenderState = Literal["starting", "connected", "unreachable", "silent", "refused", "untrusted"]


@dataclass(frozen=True, slots=True)
class SenderStatus:
    """How the sender stands with the server."""

    pid: int
    state: SenderState
    """`unreachable`: there is no server, or it can't serve; `silent`: what takes connections there
    does not answer as a server does; `refused`: it does not accept the credential, or
    there is none to be had where it should be; `untrusted`: there is no connection by TLS."""
    detail: str = ""
    """What is wrong, for people."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How far a stream has come."""

    acked: int = 0
    """Everything up to here is committed by the server."""
    rejected: int = 0
    """How many of those events the server stored without applying them."""
    exported: int = 0
    """The spans that ended up to here were taken by the trace collector."""
    problem: str = ""
    """Why nothing more of the stream can be delivered, for people; empty if all is well."""


def read_status(spool: Path) -> SenderStatus | None:
    """Return what the last sender in `spool` said, or None if none has spoken."""
    content = _read(spool / "sender.json")
    try:
        return SenderStatus(content["pid"], content["state"], content["detail"])
    except KeyError:
        return None


def write_status(spool: Path, status: SenderStatus) -> None:
    """Say how the sender stands. Raises `OSError`."""
    _write(spool / "sender.json", asdict(status))


def read_delivery(stream: Path) -> Delivery:
    """Return how far a stream has come; nothing at first."""
    content = _read(stream / "delivery.json")
    known = {field.name: content[field.name] for field in fields(Delivery) if field.name in content}
    return Delivery(**known)


def write_delivery(stream: Path, delivery: Delivery) -> None:
    """Say how far a stream has come. Raises `OSError`."""
    _write(stream / "delivery.json", asdict(delivery))


def read_cancels(stream: Path) -> dict[str, str]:
    """Return why builds of a stream were asked to stop, by their ids."""
    return _read(stream / "cancels.json")


def write_cancel(stream: Path, build: str, reason: str) -> None:
    """Say that a build was asked to stop. Raises `OSError`."""
    _write(stream / "cancels.json", read_cancels(stream) | {build: reason})


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}  # not written yet, or lost with the power: it is all known to the server
    return cast("dict[str, Any]", content) if isinstance(content, dict) else {}


def _write(path: Path, content: dict[str, Any]) -> None:
    partial = path.with_suffix(".new")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file)
    partial.replace(path)
