"""Whether an event, taken by itself, obeys the contract.

A detail that does not suit the event's type is ignored, so only suiting ones
are looked at. A type this code does not know is not judged at all: a newer
producer may write to an older server.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from google.protobuf.message import Message

from stardag.v1 import event_pb2 as pb
from stardag.v1.task_pb2 import TaskDefinition
from stardag_server.domain import limits
from stardag_server.domain.json_depth import is_too_deep

TASK_NAMESPACE = UUID("9ca26b27-f7ee-4044-8b3c-e335dc5778dc")
"""Namespace of the UUIDv5 that a task's id is."""
_NAMESPACE_BYTES = TASK_NAMESPACE.bytes

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an event is stored without being applied."""

    reason: pb.EventRejectionReason.ValueType
    message: str
    field: str = ""
    """The field of the definition that is at fault, if one is."""


def is_id(text: str) -> bool:
    """Tell whether the text is a UUID as the contract spells it."""
    return _ID.fullmatch(text) is not None


def task_id_of(identity_json: str) -> bytes:
    """Return the 16 bytes of the id that this identity JSON hashes to."""
    digest = hashlib.sha1(_NAMESPACE_BYTES + identity_json.encode(), usedforsecurity=False).digest()
    return b"%b%c%b%c%b" % (
        digest[:6],
        digest[6] & 0x0F | 0x50,
        digest[7:8],
        digest[8] & 0x3F | 0x80,
        digest[9:16],
    )


def check(event: pb.NewEvent) -> Rejection | None:
    """Return why the event can't be applied whatever the state, or None."""
    kind = event.type
    if problem := _problem(event, kind):
        return _invalid(problem)
    detail = event.WhichOneof("detail")
    if detail is None:
        return None
    suiting = _DETAILS.get(kind)
    if suiting is None or detail != suiting[0]:
        return None
    return suiting[1](event)


def check_definition(task: bytes, definition: TaskDefinition) -> Rejection | None:
    """Return why this can't be the definition of the task with that id, or None."""
    upstreams = definition.dependency_ids
    problem = (
        _bad_json("identity_json", definition.identity_json)
        or _bad_json("params_json", definition.params_json)
        or _too_long(definition, _DEFINITION_TEXTS)
        or _bad_ids("dependency_ids", upstreams, len(upstreams))
    )
    if problem:
        return problem
    if definition.task_id and definition.task_id != str(UUID(bytes=task)):
        return _invalid("task_id is not the event's task", "task_id")
    expected = task_id_of(definition.identity_json)
    if expected != task:
        return Rejection(
            pb.EVENT_REJECTION_REASON_TASK_ID_MISMATCH,
            f"identity_json hashes to {UUID(bytes=expected)}",
        )
    return None


_NOT_FOR_PRODUCERS: dict[int, str] = {
    pb.EVENT_TYPE_UNSPECIFIED: "type is not set",
    pb.EVENT_TYPE_BUILD_CANCEL_REQUESTED: "type is the server's own; call CancelBuild",
}


def _problem(event: pb.NewEvent, kind: int) -> str | None:
    if (length := len(event.build_id)) != 16:
        return f"build_id has {length} bytes, not 16"
    if (length := len(event.task_id)) != 16 and (length or kind in TASK_TYPES):
        return f"task_id has {length} bytes, not 16"
    if not 0 <= event.event_time_us <= limits.MAX_TIME_US or event.monotonic_us < 0:
        return "a time is negative, or after the year 9999"
    if kind in _NOT_FOR_PRODUCERS:
        return _NOT_FOR_PRODUCERS[kind]
    if kind == pb.EVENT_TYPE_TASK_STARTED and event.attempt == 0:
        return "attempt is not set"
    return None


def _invalid(message: str, field: str = "") -> Rejection:
    return Rejection(pb.EVENT_REJECTION_REASON_EVENT_INVALID, message, field)


def _bad_json(field: str, text: str) -> Rejection | None:
    # UTF-8 has at most four bytes a character: only long texts are counted.
    if len(text) * 4 > limits.MAX_JSON_BYTES and len(text.encode()) > limits.MAX_JSON_BYTES:
        return _invalid(f"{field} is over {limits.MAX_JSON_BYTES} bytes", field)
    if "\x00" in text:
        return _invalid(f"{field} is not JSON: it has a NUL character", field)
    if is_too_deep(text):
        return _invalid(f"{field} is over {limits.MAX_JSON_DEPTH} levels deep", field)
    return None


def _too_long(message: Message, texts: Sequence[tuple[str, int]]) -> Rejection | None:
    """Look at texts of a message, each given by its field and the most characters it may have."""
    for field, limit in texts:
        if (length := len(getattr(message, field))) > limit:
            return _invalid(f"{field} has {length} characters; at most {limit}", field)
    return None


def _bad_ids(field: str, ids: Iterable[str], count: int) -> Rejection | None:
    if count > limits.MAX_IDS:
        return _invalid(f"{field} has {count} ids; at most {limits.MAX_IDS}", field)
    if not all(map(_ID.fullmatch, ids)):
        return _invalid(f"{field} has what is not a lower-case hyphenated UUID", field)
    return None


def _check_definition(event: pb.NewEvent) -> Rejection | None:
    return check_definition(event.task_id, event.definition)


def _check_build_start(event: pb.NewEvent) -> Rejection | None:
    start = event.build_start
    if len(start.labels) > limits.MAX_LABELS:
        return _invalid(f"{len(start.labels)} labels; at most {limits.MAX_LABELS}")
    for key, value in start.labels.items():
        if len(key) > limits.MAX_LABEL_KEY or len(value) > limits.MAX_LABEL_VALUE:
            return _invalid("a label's key or value is too long")
    return (
        _too_long(start, _START_TEXTS)
        or _too_long(start.source, _SOURCE_TEXTS)
        or _bad_ids("build_start.root_task_ids", start.root_task_ids, len(start.root_task_ids))
    )


def _check_build_end(event: pb.NewEvent) -> Rejection | None:
    return _too_long(event.build_end, [("reason", limits.MAX_TEXT)])


def _check_output(event: pb.NewEvent) -> Rejection | None:
    return _too_long(
        event.output,
        [("uri", limits.MAX_URI), ("code_fingerprint", limits.MAX_FINGERPRINT)],
    )


def _check_failure(event: pb.NewEvent) -> Rejection | None:
    failure = event.failure
    if failure.caused_by_task_id and not is_id(failure.caused_by_task_id):
        return _invalid("failure.caused_by_task_id is not a UUID")
    return _too_long(failure, _FAILURE_TEXTS)


def _check_progress(event: pb.NewEvent) -> Rejection | None:
    # Also false for NaN.
    if not 0 <= event.progress.fraction <= 1:
        return _invalid("progress.fraction is not between 0 and 1")
    return _too_long(event.progress, [("message", limits.MAX_PROGRESS_MESSAGE)])


def _check_wait(event: pb.NewEvent) -> Rejection | None:
    return _too_long(event.wait, [("lease_name", limits.MAX_NAME)]) or _bad_ids(
        "wait.task_ids", event.wait.task_ids, len(event.wait.task_ids)
    )


def _check_events_lost(event: pb.NewEvent) -> Rejection | None:
    return _invalid("events_lost.count is negative") if event.events_lost.count < 0 else None


_DEFINITION_TEXTS = (
    ("name", limits.MAX_NAME),
    ("namespace", limits.MAX_NAME),
    ("version", limits.MAX_VERSION),
    ("output_uri", limits.MAX_URI),
)
_START_TEXTS = (
    ("name", limits.MAX_NAME),
    ("description", limits.MAX_TEXT),
    ("client", limits.MAX_NAME),
    ("host", limits.MAX_NAME),
    ("runtime", limits.MAX_NAME),
    ("command", limits.MAX_TEXT),
    ("trace_parent", limits.MAX_TRACE_PARENT),
)
_SOURCE_TEXTS = (("commit", limits.MAX_COMMIT_HASH), ("ref", limits.MAX_NAME))
_FAILURE_TEXTS = (
    ("kind", limits.MAX_NAME),
    ("message", limits.MAX_TEXT),
    ("stack_trace", limits.MAX_STACK_TRACE),
)

BUILD_TYPES = frozenset(
    range(pb.EVENT_TYPE_BUILD_STARTED, pb.EVENT_TYPE_BUILD_CANCEL_REQUESTED + 1)
)
"""Known types of events about a build."""
TASK_TYPES = frozenset(range(pb.EVENT_TYPE_TASK_PENDING, pb.EVENT_TYPE_TASK_CANCELLED + 1))
"""Known types of events about a task."""

DEFINING_TYPES = (pb.EVENT_TYPE_TASK_PENDING, pb.EVENT_TYPE_TASK_REUSED)
"""Types of events that may carry the task's definition."""
_BUILD_END = ("build_end", _check_build_end)
_DEFINITION = ("definition", _check_definition)
_FAILURE = ("failure", _check_failure)
_WAIT = ("wait", _check_wait)
# The detail that suits a type, and what it must obey.
_DETAILS: dict[int, tuple[str, Callable[[pb.NewEvent], Rejection | None]]] = {
    pb.EVENT_TYPE_BUILD_STARTED: ("build_start", _check_build_start),
    pb.EVENT_TYPE_BUILD_FAILED: _BUILD_END,
    pb.EVENT_TYPE_BUILD_CANCELLED: _BUILD_END,
    pb.EVENT_TYPE_BUILD_EXITED_EARLY: _BUILD_END,
    pb.EVENT_TYPE_BUILD_COMPLETED: _BUILD_END,
    pb.EVENT_TYPE_PRODUCER_DIED: _BUILD_END,
    pb.EVENT_TYPE_EVENTS_LOST: ("events_lost", _check_events_lost),
    pb.EVENT_TYPE_TASK_PENDING: _DEFINITION,
    pb.EVENT_TYPE_TASK_REUSED: _DEFINITION,
    pb.EVENT_TYPE_TASK_PROGRESSED: ("progress", _check_progress),
    pb.EVENT_TYPE_TASK_SUSPENDED: _WAIT,
    pb.EVENT_TYPE_TASK_BLOCKED: _WAIT,
    pb.EVENT_TYPE_TASK_COMPLETED: ("output", _check_output),
    pb.EVENT_TYPE_TASK_FAILED: _FAILURE,
    pb.EVENT_TYPE_TASK_SKIPPED: _FAILURE,
}
