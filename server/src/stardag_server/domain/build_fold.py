"""One build while events are folded into it: the build, its tasks, its log."""

from dataclasses import dataclass, field

from stardag.v1 import event_pb2 as pb
from stardag.v1 import task_pb2
from stardag_server.domain.build_state import BuildState
from stardag_server.domain.event_check import BUILD_TYPES, TASK_TYPES, Rejection
from stardag_server.domain.task_state import TERMINAL, TaskState


@dataclass(slots=True)
class BuildFold:
    """Folds a build's events in the order of its log.

    `tasks` must hold the state of each task that the events name and, if one of
    them is PRODUCER_DIED, of every task of the build that has not ended; a task
    without a state enters the build. After the last event `changed` holds, by
    ordinal, the states to be written.
    """

    build: BuildState
    tasks: dict[bytes, TaskState]
    changed: dict[int, TaskState] = field(default_factory=dict[int, TaskState])

    def apply(
        self, event: pb.NewEvent, task: int, stream: int, now: int, rejection: Rejection | None
    ) -> Rejection | None:
        """Give the event the next position and fold it; return why it is not applied, if so.

        `task` and `stream` are keys, `now` is the commit time, `rejection` what
        was found before against the event.
        """
        build = self.build
        build.head += 1
        build.update_time = now
        if rejection is None:
            rejection = build.refuses(now) or self._fold(event, task, stream, now)
        if rejection is not None:
            build.rejected_events += 1
        return rejection

    def _fold(self, event: pb.NewEvent, task: int, stream: int, now: int) -> Rejection | None:
        kind = event.type
        if kind in TASK_TYPES:
            rejection = self._fold_task(event, task, stream, now)
        elif kind in BUILD_TYPES:
            rejection = self.build.apply(event, stream, now)
        else:
            return None
        if kind == pb.EVENT_TYPE_PRODUCER_DIED:
            self._cancel_tasks(event, stream, now)
        elif rejection is None and kind != pb.EVENT_TYPE_BUILD_CANCEL_REQUESTED:
            self.build.hear(stream)
        return rejection

    def _fold_task(self, event: pb.NewEvent, task: int, stream: int, now: int) -> Rejection | None:
        id = event.task_id
        state = self.tasks.get(id)
        if state is None:
            state = self.tasks[id] = TaskState(task=task, ordinal=self.build.task_count + 1)
        before = state.status
        outcome = state.apply(event, stream)
        if outcome is True:
            self._note(state, before, now)
            return None
        return outcome or None

    def _cancel_tasks(self, event: pb.NewEvent, stream: int, now: int) -> None:
        """End what the dead producer was at; if it owned the build, what nobody began, too."""
        owned = stream == self.build.start_stream
        for state in self.tasks.values():
            begun = state.attempt > 0
            if state.status not in TERMINAL and (state.stream == stream or (owned and not begun)):
                before = state.status
                state.cancel(event)
                self._note(state, before, now)

    def _note(self, state: TaskState, before: int, now: int) -> None:
        state.position = self.build.head
        state.update_time = now
        self.changed[state.ordinal] = state
        if state.status != before:
            counts = self.build.task_counts
            if before != task_pb2.TASK_STATUS_UNSPECIFIED:
                counts[before] -= 1
            counts[state.status] += 1
