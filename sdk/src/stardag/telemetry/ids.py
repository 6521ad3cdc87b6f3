"""Trace and span ids that follow from what they name, so nobody has to look them up.

Any program can compute the span of any attempt of any build from three values it
has anyway, and two programs that report the same attempt report the same span.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID


def trace_id(build: UUID) -> int:
    """Return the trace id of a build: its own 16 bytes, read as a big-endian number."""
    return build.int


def root_span_id(build: UUID) -> int:
    """Return the span id of the build itself.

    That is BLAKE2b, with a digest of 8 bytes, over the 16 raw bytes of the build id,
    read as a big-endian number.
    """
    return _span_id(build.bytes)


def attempt_span_id(build: UUID, task: UUID, attempt: int) -> int:
    """Return the span id of one attempt of a task.

    That is BLAKE2b, with a digest of 8 bytes, over 36 bytes: the 16 raw bytes of the
    build id, the 16 raw bytes of the task id, and the attempt (from 1) as an unsigned
    32-bit big-endian number; read as a big-endian number.
    """
    return _span_id(build.bytes + task.bytes + attempt.to_bytes(4, "big"))


def _span_id(name: bytes) -> int:
    return int.from_bytes(blake2b(name, digest_size=8).digest(), "big")
