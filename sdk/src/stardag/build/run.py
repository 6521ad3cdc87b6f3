"""One build between its drivers, its scheduler and its observer.

Drivers (sequential, concurrent) take numbers of tasks, have them run, and settle how each
ended; what follows from that is decided here, once for both.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from stardag._errors import CycleError, StardagError, UpstreamFailedError
from stardag._task import BaseTask
from stardag._uuid7 import uuid7
from stardag.build.attempt import Completed, Failed, Outcome, Suspended, TaskGenerator, advance
from stardag.build.frontier import Frontier, State
from stardag.build.graph import Graph
from stardag.build.observer import BuildInfo, BuildObserver, BuildStatus
from stardag.build.summary import BuildSummary, FailMode, SkippedTask, TaskFailure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ATTEMPT = 1  # every task is tried once


class BuildRun:
    """The state of one build. Not thread-safe, but for `advance`."""

    def __init__(
        self,
        roots: Sequence[BaseTask],
        observer: BuildObserver,
        *,
        fail_mode: FailMode = FailMode.FAIL_FAST,
        description: str = "",
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare the build of `roots`; nothing is looked at before `start`."""
        self._roots = roots
        self._observer = observer
        self._info = BuildInfo(uuid7(), roots, description, labels)
        self._graph = Graph()
        self._frontier = Frontier(fail_fast=fail_mode is FailMode.FAIL_FAST)
        self._generators: dict[int, TaskGenerator] = {}
        self._causes: dict[int, BaseTask] = {}
        self.summary = BuildSummary(self._info.id, "completed")

    def start(self) -> None:
        """Find the tasks and report them. Raises what `Graph.discover` raises."""
        self._started_at = time.monotonic()
        self._observer.build_started(self._info)
        self._discover(self._roots)

    def take(self) -> int | None:
        """Return the number of a task to run now, reported as started; None if there is none."""
        number = self._frontier.take()
        if number is not None:
            task = self._graph.tasks[number]
            if number in self._generators:
                self._observer.task_resumed(task, _ATTEMPT)
            else:
                self._observer.task_started(task, _ATTEMPT)
        return number

    def advance(self, number: int) -> Outcome:
        """Run the task, in whichever thread this is called."""
        return advance(self._graph.tasks[number], self._generators.get(number))

    @property
    def running(self) -> int:
        """Number of tasks taken and not settled."""
        return self._frontier.running

    def settle(self, number: int, outcome: Outcome) -> None:
        """Take note of how a taken task ended."""
        ended = self._suspend(number, outcome) if isinstance(outcome, Suspended) else outcome
        if ended is None:
            return
        self._generators.pop(number, None)
        if isinstance(ended, Completed):
            self._frontier.complete(number)
            self.summary.counts.completed += 1
            self._observer.task_completed(self._graph.tasks[number], _ATTEMPT)
        else:
            lost = self._frontier.fail(number)
            self._note_failure(number, ended.error)
            for dependent in lost:
                self._note_lost(dependent, self._graph.tasks[number])

    def finish(self) -> BuildSummary:
        """End the build after its last task, and return what it did."""
        self._cancel_rest()
        failures = self.summary.failures
        self._end("failed" if failures else "completed", str(failures[0]) if failures else "")
        return self.summary

    def abort(self, error: BaseException) -> None:
        """End the build because of what kept its driver from going on.

        An interrupt or a cancellation cancels it; anything else fails it. What was taken and
        not settled is cancelled.
        """
        from asyncio import CancelledError  # not before: it takes as long to import as the rest

        self._cancel_rest()
        if isinstance(error, (KeyboardInterrupt, CancelledError)):
            self._end("cancelled", "interrupted")
        else:
            self._end("failed", f"{type(error).__name__}: {error}")

    def _discover(self, tasks: Sequence[BaseTask]) -> None:
        graph = self._graph
        for number in graph.discover(tasks):
            task, requires = graph.tasks[number], graph.requires[number]
            self._frontier.add(requires, done=graph.complete[number])
            if graph.complete[number]:
                self.summary.counts.reused += 1
                self._observer.task_reused(task, ())
                continue
            self._observer.task_pending(task, [graph.tasks[n] for n in requires])
            if self._frontier.state(number) is State.SKIPPED:
                self._note_lost(number, self._cause_among(requires))

    def _suspend(self, number: int, outcome: Suspended) -> Failed | None:
        """Wait for what the task yielded; returns how the task ended if it can't."""
        task = self._graph.tasks[number]
        self._generators[number] = outcome.generator
        try:
            self._discover(outcome.waits_for)
            wanted = [self._graph.number(t) for t in outcome.waits_for]
            self._refuse_circle(number, wanted)
        except Exception as error:  # a yielded task's own code may raise anything
            return self._close_generator(number, error)
        self._observer.task_suspended(task, _ATTEMPT, outcome.waits_for)
        if self._frontier.suspend(number, wanted):
            return None
        cause = self._cause_among(wanted)
        return self._close_generator(number, UpstreamFailedError(f"{cause!r} did not complete"))

    def _refuse_circle(self, number: int, wanted: Sequence[int]) -> None:
        task = self._graph.tasks[number]
        for other in wanted:
            if other == number or self._frontier.depends_on(other, number):
                raise CycleError([repr(t) for t in (task, self._graph.tasks[other], task)])

    def _close_generator(self, number: int, error: Exception) -> Failed:
        try:
            self._generators.pop(number).close()
        except Exception as closing:  # the generator's own clean-up; its cause matters more
            error.add_note(f"closing the generator raised {closing!r}")
        return Failed(error)

    def _cause_among(self, numbers: Sequence[int]) -> BaseTask:
        """Return the failed task because of which one of these is lost."""
        for number in numbers:
            if self._frontier.state(number) is State.FAILED:
                return self._graph.tasks[number]
            if number in self._causes:
                return self._causes[number]
        raise StardagError("none of the dependencies failed")

    def _note_failure(self, number: int, error: BaseException) -> None:
        task = self._graph.tasks[number]
        self.summary.counts.failed += 1
        self.summary.failures.append(TaskFailure(task, error))
        self._observer.task_failed(task, _ATTEMPT, error, will_retry=False)

    def _note_lost(self, number: int, cause: BaseTask) -> None:
        task = self._graph.tasks[number]
        self._causes[number] = cause
        if self._frontier.state(number) is State.STOPPED:
            failed = self._close_generator(
                number, UpstreamFailedError(f"{cause!r} did not complete")
            )
            self._note_failure(number, failed.error)
            return
        self.summary.counts.skipped += 1
        self.summary.skipped.append(SkippedTask(task, cause))
        self._observer.task_skipped(task, cause)

    def _cancel_rest(self) -> None:
        for number, begun in self._frontier.cancel():
            if number in self._generators:
                self._close_generator(number, StardagError("the build ended"))
            self.summary.counts.cancelled += 1
            self._observer.task_cancelled(self._graph.tasks[number], _ATTEMPT if begun else 0)

    def _end(self, status: BuildStatus, reason: str) -> None:
        self.summary.status = status
        self.summary.duration_s = time.monotonic() - self._started_at
        self._observer.build_ended(status, reason)
