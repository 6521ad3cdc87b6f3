"""A build's lifecycle as serialized `NewEvent` messages (stardag/v1/event.proto).

Written by hand on top of `wire`, so that the building process needs no Protobuf
runtime; a test compares every field with what the generated classes read.
"""

from __future__ import annotations

import functools
import os
import re
import time
import traceback
from typing import TYPE_CHECKING

from stardag._readable import error_text
from stardag.tracking import wire
from stardag.tracking.redaction import cut, presentable, redact, redact_uri, redact_value
from stardag.tracking.spool import frames

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stardag.build.observer import BuildInfo, BuildStatus, ObservedTask
    from stardag.tracking.program import Program
    from stardag.tracking.source import SourceRevision

# EventType
BUILD_STARTED = 1
BUILD_ENDED: dict[BuildStatus, int] = {
    "completed": 2,
    "failed": 3,
    "cancelled": 4,
    "exited_early": 5,
}
PRODUCER_DIED = 6
EVENTS_LOST = 7
TASK_PENDING = 20
TASK_REUSED = 21
TASK_STARTED = 22
TASK_PROGRESSED = 23
TASK_SUSPENDED = 24
TASK_RESUMED = 25
TASK_BLOCKED = 26
TASK_COMPLETED = 27
TASK_FAILED = 28
TASK_SKIPPED = 29
TASK_CANCELLED = 30

ENDS = frozenset(
    [
        *BUILD_ENDED.values(),
        *(PRODUCER_DIED, EVENTS_LOST),
        *(TASK_REUSED, TASK_COMPLETED, TASK_FAILED, TASK_SKIPPED, TASK_CANCELLED),
    ]
)
"""The types that end an attempt or a build, for which a spool keeps room."""

# Limits of the contract.
_NAME, _VERSION, _URI = 255, 64, 2048
_MESSAGE, _STACK_TRACE, _DESCRIPTION = 4 << 10, 32 << 10, 4 << 10
_PROGRESS = 1024
_JSON, _JSON_DEPTH = 256 << 10, 64
_MANY = 10_000

# What comes before the values of the fields that every event has, made once.
_ID = wire.varint(16)
_BUILD, _TASK = wire.tag(1, 2) + _ID, wire.tag(2, 2) + _ID
_TIME, _MONOTONIC = wire.tag(5, 0), wire.tag(6, 0)
_DEPENDENCY = wire.tag(7, 2) + wire.varint(36)  # field of TaskDefinition; an id as text


def event(build: bytes, task: bytes, kind: int, attempt: int = 0, detail: bytes = b"") -> bytes:
    """Return one event, happening now, as the body of a frame.

    `build` and `task` are raw ids, the latter empty for events about the build;
    `detail` is a field of the oneof, with its tag; other fields may come before it.
    """
    about = _TASK + task if task else b""
    now = wire.varint(max(0, time.time_ns()) // 1000)  # a clock may stand before 1970
    tick = wire.varint(time.monotonic_ns() // 1000)
    return frames.body(
        b"".join((_BUILD, build, about, _head(kind, attempt), now, _MONOTONIC, tick, detail))
    )


@functools.lru_cache(maxsize=256)
def _head(kind: int, attempt: int) -> bytes:
    """Return type and attempt, and what comes before the time."""
    return wire.number(3, kind) + wire.number(4, attempt) + _TIME


def build_start(build: BuildInfo, source: SourceRevision, program: Program) -> bytes:
    """Return the detail of BUILD_STARTED."""
    body = [
        *(wire.text(1, str(root.id)) for root in build.roots[:_MANY]),
        wire.text(2, cut(build.roots[0].get_name(), _NAME) if build.roots else ""),
        wire.text(3, presentable(build.description, _DESCRIPTION)),
        *(
            # a mask may be longer than what it hides
            wire.message(4, wire.text(1, key) + wire.text(2, redact_value(key, value)[:_NAME]))
            for key, value in (build.labels or {}).items()
        ),
        wire.message(
            5,
            wire.text(1, source.commit[:64])
            + wire.text(2, source.ref[:_NAME])
            + wire.number(3, int(source.dirty)),
        ),
        wire.text(6, program.client[:_NAME]),
        wire.text(7, program.host[:_NAME]),
        wire.text(8, program.runtime[:_NAME]),
        wire.text(9, cut(program.command, _MESSAGE)),
        wire.text(10, build.trace_parent),
    ]
    return wire.message(10, b"".join(body))


def build_end(reason: str) -> bytes:
    """Return the detail of a build's end."""
    return wire.message(11, wire.text(1, presentable(reason, _MESSAGE)))


def definition(task: ObservedTask, dependencies: Sequence[ObservedTask]) -> bytes:
    """Return the detail that defines a task.

    `identity_json` can't be redacted, as the server verifies it by its hash. So if it has
    what looks like a secret in plain text, there is no definition: the task is then
    recorded by its id alone. A parameter declared as `SecretStr` is masked in it already,
    and does not have this effect.

    Raises `ValueError` for that reason, or if the parameters are over the contract's limits.
    """
    identity, params = task.identity_and_params_json()
    if len(identity) > _JSON or len(params) > _JSON:
        raise ValueError(f"the parameters of {task.get_name()} take more than {_JSON >> 10} KiB")
    if _depth(identity) > _JSON_DEPTH:
        raise ValueError(
            f"the parameters of {task.get_name()} are nested more than {_JSON_DEPTH} levels deep"
        )
    if redact(identity) != identity:
        raise ValueError(
            f"a parameter of {task.get_name()} looks like a secret in plain text, so none is "
            "recorded; declare it as pydantic.SecretStr"
        )
    shown = "" if params == identity else redact(params)
    body = [
        _task_type(type(task), task.version),
        wire.text(5, identity),
        wire.text(6, shown),
        *[_DEPENDENCY + str(one.id).encode() for one in dependencies[:_MANY]],
        wire.text(8, redact_uri(task.output_uri() or "")[:_URI]),
    ]
    return wire.message(12, b"".join(body))


def _depth(text: str) -> int:
    """Return how many lists and objects of a JSON text are in one another, at most."""
    if text.count("{") + text.count("[") <= _JSON_DEPTH:
        return 0  # as of nearly all
    depth = deepest = 0
    for token in _STRING_OR_BRACKET.finditer(text):
        if token[0] in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif token[0] in "]}":
            depth -= 1
    return deepest


_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')


@functools.lru_cache(maxsize=1024)
def _task_type(cls: type[ObservedTask], version: str) -> bytes:
    """Return the fields of a definition that all tasks of a type share."""
    return (
        wire.text(2, cut(cls.get_namespace(), _NAME))
        + wire.text(3, cut(cls.get_name(), _NAME))
        + wire.text(4, version[:_VERSION])
    )


def failure(error: BaseException, *, will_retry: bool) -> bytes:
    """Return the detail of TASK_FAILED."""
    cls = type(error)
    kind = (
        cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
    )
    trace = "".join(traceback.format_exception(error))
    body = [
        wire.text(1, cut(kind, _NAME)),
        wire.text(2, presentable(error_text(error), _MESSAGE)),
        wire.text(3, presentable(trace, _STACK_TRACE)),
        wire.number(4, int(will_retry)),
    ]
    return wire.message(14, b"".join(body))


def output(uri: str | None) -> bytes:
    """Return the detail of TASK_COMPLETED: how large the output is, where a file tells that.

    Where it is has been said by the definition.
    """
    try:
        # once a task, so not by way of a Path
        size = os.stat(uri).st_size if uri and uri.startswith("/") else 0  # noqa: PTH116
    except OSError:  # such as that of somebody who has just taken it away
        size = 0
    return wire.message(13, wire.number(2, size)) if size else b""


def progress(fraction: float, message: str) -> bytes:
    """Return the detail of TASK_PROGRESSED."""
    said = presentable(message, _PROGRESS) if message else ""
    return wire.message(15, wire.double(1, fraction) + wire.text(2, said))


def skip(cause: ObservedTask) -> bytes:
    """Return the detail of TASK_SKIPPED."""
    body = [
        wire.text(1, "UpstreamFailed"),
        wire.text(2, f"{cut(cause.get_name(), _NAME)} ({cause.id}) did not complete"),
        wire.text(5, str(cause.id)),
    ]
    return wire.message(14, b"".join(body))


def wait(tasks: Sequence[ObservedTask], *, restarts: bool) -> bytes:
    """Return the detail of TASK_SUSPENDED."""
    ids = (wire.text(1, str(task.id)) for task in tasks[:_MANY])
    return wire.message(16, b"".join((*ids, wire.number(3, int(restarts)))))


def block(lease_name: str) -> bytes:
    """Return the detail of TASK_BLOCKED."""
    return wire.message(16, wire.text(2, lease_name))


def events_lost(count: int) -> bytes:
    """Return the detail of EVENTS_LOST."""
    return wire.message(17, wire.number(1, count))
