"""Where a build stands: state = fold(state, event).

The rules. A build starts with the first event that names it; BUILD_STARTED says
how, whenever it comes, and the first one is kept. The first end is kept too: a
second one is refused. The stream that sent BUILD_STARTED owns the build: when
its producer died the build is ABANDONED, until the owner speaks again after
all, another stream starts the build anew, or anybody reports its end. Of other
streams' deaths the build takes no notice; but while it has no owner, as its start
was lost or is yet to come, of all, and of everybody who speaks again. To ask a build to
stop does not end it.
"""

from dataclasses import dataclass, field
from typing import Any

from stardag.v1 import build_pb2
from stardag.v1 import event_pb2 as pb
from stardag_server.domain import limits
from stardag_server.domain.event_check import Rejection
from stardag_server.domain.task_state import STATUS_COUNT

ENDS: dict[int, int] = {
    pb.EVENT_TYPE_BUILD_COMPLETED: build_pb2.BUILD_STATUS_COMPLETED,
    pb.EVENT_TYPE_BUILD_FAILED: build_pb2.BUILD_STATUS_FAILED,
    pb.EVENT_TYPE_BUILD_CANCELLED: build_pb2.BUILD_STATUS_CANCELLED,
    pb.EVENT_TYPE_BUILD_EXITED_EARLY: build_pb2.BUILD_STATUS_EXITED_EARLY,
}
"""Status after each event that ends a build."""

OPEN = (build_pb2.BUILD_STATUS_RUNNING, build_pb2.BUILD_STATUS_ABANDONED)
"""Statuses which a producer's word still moves."""


@dataclass(slots=True)
class BuildState:
    """A build as folded from its log. Times are microseconds; 0 means not yet known."""

    key: int
    create_time: int
    update_time: int
    head: int = 0
    """Position of the last event."""
    status: int = build_pb2.BUILD_STATUS_RUNNING
    start_time: int = 0
    start_monotonic: int = 0
    start_stream: int = 0
    """Key of the stream that owns the build; 0 until BUILD_STARTED came."""
    end_time: int = 0
    end_commit_time: int = 0
    duration: int = 0
    reason: str = ""
    name: str = ""
    description: str = ""
    client: str = ""
    host: str = ""
    runtime: str = ""
    command: str = ""
    labels: dict[str, str] = field(default_factory=dict[str, str])
    source: dict[str, Any] = field(default_factory=dict[str, Any])
    root_task_ids: list[str] = field(default_factory=list[str])
    task_counts: list[int] = field(default_factory=lambda: [0] * STATUS_COUNT)
    """Number of tasks by the number of their status."""
    cancel_time: int = 0
    """When it was first asked to stop, as committed."""
    cancel_reason: str = ""
    lost_events: int = 0
    rejected_events: int = 0

    @property
    def task_count(self) -> int:
        """Number of tasks in the build; also the ordinal of the last."""
        return sum(self.task_counts)

    def refuses(self, now: int) -> Rejection | None:
        """Return why nothing more is taken at commit time `now`, if that is so."""
        if self.status in OPEN or now - self.end_commit_time <= limits.LATE_EVENTS_US:
            return None
        return Rejection(
            pb.EVENT_REJECTION_REASON_BUILD_ENDED,
            "the build has ended, and its grace for late events is over",
        )

    def apply(self, event: pb.NewEvent, stream: int, now: int) -> Rejection | None:
        """Fold one checked event in, of a type about the build; return why it can't be, if so."""
        kind = event.type
        if kind == pb.EVENT_TYPE_BUILD_STARTED:
            self._start(event, stream)
        elif kind in ENDS:
            if self.status not in OPEN:
                return Rejection(
                    pb.EVENT_REJECTION_REASON_INVALID_TRANSITION, "the build has ended already"
                )
            self._end(ENDS[kind], event, stream)
            self.end_commit_time = now
        elif kind == pb.EVENT_TYPE_PRODUCER_DIED:
            if self.status == build_pb2.BUILD_STATUS_RUNNING and self._is_up_to(stream):
                self._end(build_pb2.BUILD_STATUS_ABANDONED, event, stream)
        elif kind == pb.EVENT_TYPE_BUILD_CANCEL_REQUESTED:
            if not self.cancel_time:
                self.cancel_time = now
                self.cancel_reason = event.build_end.reason
        elif kind == pb.EVENT_TYPE_EVENTS_LOST:
            self.lost_events = min(self.lost_events + event.events_lost.count, limits.MAX_INT64)
        return None

    def hear(self, stream: int) -> None:
        """Take ABANDONED back when the owner speaks, or anybody while there is none."""
        if self.status == build_pb2.BUILD_STATUS_ABANDONED and self._is_up_to(stream):
            self.status = build_pb2.BUILD_STATUS_RUNNING
            self.end_time = self.duration = 0
            self.reason = ""

    def _is_up_to(self, stream: int) -> bool:
        """Return whether a stream's life is the build's: it owns the build, or nobody does."""
        return self.start_stream in (0, stream)

    def _start(self, event: pb.NewEvent, stream: int) -> None:
        if self.start_stream:
            if self.status == build_pb2.BUILD_STATUS_ABANDONED:
                self.start_stream = stream
                self.start_monotonic = event.monotonic_us
                self.hear(stream)
            return
        start = event.build_start
        self.start_time = event.event_time_us
        self.start_monotonic = event.monotonic_us
        self.start_stream = stream
        self.name = start.name
        self.description = start.description
        self.client = start.client
        self.host = start.host
        self.runtime = start.runtime
        self.command = start.command
        self.labels = dict(start.labels)
        self.root_task_ids = list(start.root_task_ids)
        if event.build_start.HasField("source"):
            source = start.source
            self.source = {"commit": source.commit, "ref": source.ref, "dirty": source.dirty}

    def _end(self, entered: int, event: pb.NewEvent, stream: int) -> None:
        self.status = entered
        self.end_time = event.event_time_us
        self.reason = event.build_end.reason
        if stream == self.start_stream:
            self.duration = max(0, event.monotonic_us - self.start_monotonic)
