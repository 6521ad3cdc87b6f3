"""Where a task stands in a build: state = fold(state, event).

The rules. Attempts are counted from 1; what happens before any has number 0. An
attempt that has ended takes nothing more; until then every event of it applies.
The state shown is that of the latest attempt, or of the latest that completed,
if one did: nothing moves a COMPLETED task but a later completion. An end that is
only inferred, because the producer is said to be dead, gives way to whatever
the attempt's producer says after all. Hence, as an attempt's events come in
order from one stream, the final status and attempt do not depend on how streams
interleave.
"""

from dataclasses import dataclass

from stardag.v1 import event_pb2 as pb
from stardag.v1 import task_pb2
from stardag_server.domain.event_check import Rejection

TERMINAL = frozenset(
    (
        task_pb2.TASK_STATUS_COMPLETED,
        task_pb2.TASK_STATUS_REUSED,
        task_pb2.TASK_STATUS_FAILED,
        task_pb2.TASK_STATUS_SKIPPED,
        task_pb2.TASK_STATUS_CANCELLED,
    )
)
"""Statuses in which an attempt has ended."""

STATUS_COUNT = max(task_pb2.TaskStatus.values()) + 1

_STATUS_AFTER: dict[int, int] = {
    pb.EVENT_TYPE_TASK_PENDING: task_pb2.TASK_STATUS_PENDING,
    pb.EVENT_TYPE_TASK_REUSED: task_pb2.TASK_STATUS_REUSED,
    pb.EVENT_TYPE_TASK_STARTED: task_pb2.TASK_STATUS_RUNNING,
    pb.EVENT_TYPE_TASK_PROGRESSED: task_pb2.TASK_STATUS_RUNNING,
    pb.EVENT_TYPE_TASK_SUSPENDED: task_pb2.TASK_STATUS_SUSPENDED,
    pb.EVENT_TYPE_TASK_RESUMED: task_pb2.TASK_STATUS_RUNNING,
    pb.EVENT_TYPE_TASK_BLOCKED: task_pb2.TASK_STATUS_BLOCKED,
    pb.EVENT_TYPE_TASK_COMPLETED: task_pb2.TASK_STATUS_COMPLETED,
    pb.EVENT_TYPE_TASK_FAILED: task_pb2.TASK_STATUS_FAILED,
    pb.EVENT_TYPE_TASK_SKIPPED: task_pb2.TASK_STATUS_SKIPPED,
    pb.EVENT_TYPE_TASK_CANCELLED: task_pb2.TASK_STATUS_CANCELLED,
}


@dataclass(slots=True)
class TaskState:
    """A task's state in a build. Times are microseconds; 0 means not yet known."""

    task: int = 0
    """Key of the task."""
    ordinal: int = 0
    """Number of the task in the build."""
    status: int = task_pb2.TASK_STATUS_UNSPECIFIED
    attempt: int = 0
    stream: int = 0
    """Key of the stream that made this state; 0 for an end that is only inferred."""
    start_time: int = 0
    start_monotonic: int = 0
    end_time: int = 0
    duration: int = 0
    progress: float | None = None
    output_uri: str | None = None
    failure: bytes | None = None
    """A serialized TaskFailure."""
    position: int = 0
    update_time: int = 0

    def apply(self, event: pb.NewEvent, stream: int) -> Rejection | bool:
        """Fold one checked event of this task in, from the stream with this key.

        Return whether it changed the state (`position` and `update_time` are
        then the caller's to set), or why it can't be applied.
        """
        kind, attempt = event.type, event.attempt
        if self.status == task_pb2.TASK_STATUS_UNSPECIFIED:
            self._begin(attempt)
        elif kind == pb.EVENT_TYPE_TASK_PENDING:
            return False
        elif attempt == self.attempt:
            if self._has_ended:
                return self._ended(kind)
        elif self._is_superseded_by(attempt, kind):
            self._begin(attempt)
        else:
            return False
        self._enter(_STATUS_AFTER[kind], event, stream)
        return True

    def cancel(self, event: pb.NewEvent) -> None:
        """End the task because the process that was to run it died."""
        self._end(task_pb2.TASK_STATUS_CANCELLED, event, self.stream)
        self.stream = 0

    def _is_superseded_by(self, attempt: int, kind: int) -> bool:
        completes = kind == pb.EVENT_TYPE_TASK_COMPLETED
        completed = self.status == task_pb2.TASK_STATUS_COMPLETED
        return (completes, attempt) > (completed, self.attempt)

    @property
    def _has_ended(self) -> bool:
        return self.status in TERMINAL and self.stream != 0

    def _ended(self, kind: int) -> Rejection:
        return Rejection(
            pb.EVENT_REJECTION_REASON_INVALID_TRANSITION,
            f"attempt {self.attempt} has ended as {_name(self.status)};"
            f" {pb.EventType.Name(pb.EventType.ValueType(kind))} comes too late",
        )

    def _begin(self, attempt: int) -> None:
        self.attempt = attempt
        self.start_time = self.start_monotonic = self.end_time = self.duration = 0
        self.progress = self.failure = self.output_uri = None

    def _enter(self, entered: int, event: pb.NewEvent, stream: int) -> None:
        if not self.stream:
            # An end that was inferred is taken back; attempts belong to one stream.
            self.stream = stream
            self.end_time = self.duration = 0
        if event.type == pb.EVENT_TYPE_TASK_STARTED:
            self.start_time = event.event_time_us
            self.start_monotonic = event.monotonic_us
        elif event.type == pb.EVENT_TYPE_TASK_PROGRESSED:
            self.progress = event.progress.fraction
        elif entered == task_pb2.TASK_STATUS_COMPLETED and event.HasField("output"):
            self.output_uri = event.output.uri or None
        elif entered in _FAILURES and event.HasField("failure"):
            self.failure = event.failure.SerializeToString()
        if entered in TERMINAL:
            self._end(entered, event, stream)
        self.status = entered
        self.stream = stream

    def _end(self, entered: int, event: pb.NewEvent, stream: int) -> None:
        self.status = entered
        self.end_time = event.event_time_us
        if self.start_time and self.stream == stream:
            self.duration = max(0, event.monotonic_us - self.start_monotonic)


_FAILURES = (task_pb2.TASK_STATUS_FAILED, task_pb2.TASK_STATUS_SKIPPED)


def _name(status: int) -> str:
    name = task_pb2.TaskStatus.Name(task_pb2.TaskStatus.ValueType(status))
    return name.removeprefix("TASK_STATUS_")
