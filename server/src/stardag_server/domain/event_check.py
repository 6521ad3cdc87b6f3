"""Whether an event, taken by itself, obeys the contract.

A detail that does not suit the event's type is ignored, so only suiting ones
are looked at. A type this code does not know is not judged at all: a newer
producer may write to an older server.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID

from stardag.v1 import event_pb2 as pb
from stardag.v1.task_pb2 import TaskDefinition
from stardag_server.domain import limits

TASK_NAMESPACE = UUID("9ca26b27-f7ee-4044-8b3c-e335dc5778dc")
"""Namespace of the UUIDv5 that a task's id is."""

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an event is stored without being applied."""

    reason: pb.EventRejectionReason.ValueType
    message: str


def is_id(text: str) -> bool:
    """Tell whether the text is a UUID as the contract spells it."""
    return _ID.fullmatch(text) is not None


def task_id_of(identity_json: str) -> bytes:
    """Return the 16 bytes of the id that this identity JSON hashes to."""
    digest = bytearray(hashlib.sha1(TASK_NAMESPACE.bytes + identity_json.encode()).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    return bytes(digest)


def check(event: pb.NewEvent) -> Rejection | None:
    """Return why the event can't be applied whatever the state, or None."""
    if problem := _problem(event):
        return _invalid(problem)
    suiting = _DETAILS.get(event.type)
    if suiting is None or event.WhichOneof("detail") != suiting[0]:
        return None
    return suiting[1](event)


def check_definition(task: bytes, definition: TaskDefinition) -> Rejection | None:
    """Return why this can't be the definition of the task with that id, or None."""
    for field, text in (
        ("identity_json", definition.identity_json),
        ("params_json", definition.params_json),
    ):
        # UTF-8 has at most four bytes a character: only long texts are counted.
        if len(text) * 4 > limits.MAX_JSON_BYTES and len(text.encode()) > limits.MAX_JSON_BYTES:
            return _invalid(f"definition.{field} is over {limits.MAX_JSON_BYTES} bytes")
        if "\x00" in text:
            return _invalid(f"definition.{field} is not JSON: it has a NUL character")
    problem = _too_long(
        name=(definition.name, limits.MAX_NAME),
        namespace=(definition.namespace, limits.MAX_NAME),
        version=(definition.version, limits.MAX_VERSION),
        output_uri=(definition.output_uri, limits.MAX_URI),
    ) or _bad_ids(
        "definition.dependency_ids", definition.dependency_ids, len(definition.dependency_ids)
    )
    if problem:
        return problem
    if definition.task_id and definition.task_id != str(UUID(bytes=task)):
        return _invalid("definition.task_id is not the event's task")
    if task_id_of(definition.identity_json) != task:
        return Rejection(
            pb.EVENT_REJECTION_REASON_TASK_ID_MISMATCH,
            f"identity_json hashes to {UUID(bytes=task_id_of(definition.identity_json))}",
        )
    return None


_NOT_FOR_PRODUCERS: dict[int, str] = {
    pb.EVENT_TYPE_UNSPECIFIED: "type is not set",
    pb.EVENT_TYPE_BUILD_CANCEL_REQUESTED: "type is the server's own; call CancelBuild",
}


def _problem(event: pb.NewEvent) -> str | None:
    kind = event.type
    if len(event.build_id) != 16:
        return f"build_id has {len(event.build_id)} bytes, not 16"
    if len(event.task_id) != 16 and (event.task_id or kind in TASK_TYPES):
        return f"task_id has {len(event.task_id)} bytes, not 16"
    if not 0 <= event.event_time_us <= limits.MAX_TIME_US or event.monotonic_us < 0:
        return "a time is negative, or after the year 9999"
    if kind in _NOT_FOR_PRODUCERS:
        return _NOT_FOR_PRODUCERS[kind]
    if kind == pb.EVENT_TYPE_TASK_STARTED and event.attempt == 0:
        return "attempt is not set"
    return None


def _invalid(message: str) -> Rejection:
    return Rejection(pb.EVENT_REJECTION_REASON_EVENT_INVALID, message)


def _too_long(**texts: tuple[str, int]) -> Rejection | None:
    for field, (text, limit) in texts.items():
        if len(text) > limit:
            return _invalid(f"{field} has {len(text)} characters; at most {limit}")
    return None


def _bad_ids(field: str, ids: Iterable[str], count: int) -> Rejection | None:
    if count > limits.MAX_IDS:
        return _invalid(f"{field} has {count} ids; at most {limits.MAX_IDS}")
    for text in ids:
        if not is_id(text):
            return _invalid(f"{field} has something that is not a lower-case hyphenated UUID")
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
    return _too_long(
        name=(start.name, limits.MAX_NAME),
        description=(start.description, limits.MAX_TEXT),
        client=(start.client, limits.MAX_NAME),
        host=(start.host, limits.MAX_NAME),
        commit=(start.source.commit, limits.MAX_COMMIT_HASH),
        ref=(start.source.ref, limits.MAX_NAME),
    ) or _bad_ids("build_start.root_task_ids", start.root_task_ids, len(start.root_task_ids))


def _check_build_end(event: pb.NewEvent) -> Rejection | None:
    return _too_long(reason=(event.build_end.reason, limits.MAX_TEXT))


def _check_output(event: pb.NewEvent) -> Rejection | None:
    return _too_long(
        uri=(event.output.uri, limits.MAX_URI),
        code_fingerprint=(event.output.code_fingerprint, limits.MAX_FINGERPRINT),
    )


def _check_failure(event: pb.NewEvent) -> Rejection | None:
    failure = event.failure
    if failure.caused_by_task_id and not is_id(failure.caused_by_task_id):
        return _invalid("failure.caused_by_task_id is not a UUID")
    return _too_long(
        kind=(failure.kind, limits.MAX_NAME),
        message=(failure.message, limits.MAX_TEXT),
        stack_trace=(failure.stack_trace, limits.MAX_STACK_TRACE),
    )


def _check_progress(event: pb.NewEvent) -> Rejection | None:
    # Also false for NaN.
    if not 0 <= event.progress.fraction <= 1:
        return _invalid("progress.fraction is not between 0 and 1")
    return _too_long(message=(event.progress.message, limits.MAX_PROGRESS_MESSAGE))


def _check_wait(event: pb.NewEvent) -> Rejection | None:
    return _too_long(lease_name=(event.wait.lease_name, limits.MAX_NAME)) or _bad_ids(
        "wait.task_ids", event.wait.task_ids, len(event.wait.task_ids)
    )


def _check_events_lost(event: pb.NewEvent) -> Rejection | None:
    return _invalid("events_lost.count is negative") if event.events_lost.count < 0 else None


BUILD_TYPES = frozenset(range(pb.EVENT_TYPE_BUILD_STARTED, pb.EVENT_TYPE_EVENTS_LOST + 1))
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
