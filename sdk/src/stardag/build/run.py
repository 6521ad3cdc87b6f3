"""One build between its driver, its scheduler and its observer.

The driver takes attempts, has them run, and settles how each ended; what follows from that is
decided here. Times are of the monotonic clock.
"""

from __future__ import annotations

import random
import time
from heapq import heappop, heappush
from typing import TYPE_CHECKING, cast

from stardag._errors import (
    CycleError,
    StardagError,
    UpstreamFailedError,
    VersionMismatchError,
)
from stardag._execution import MAX_BACKOFF_S
from stardag._uuid7 import uuid7
from stardag.build.attempt import Attempt, End, Failed, Outcome, Suspended
from stardag.build.frontier import Frontier, State
from stardag.build.graph import Graph
from stardag.build.locks import Guard
from stardag.build.observer import BuildInfo, BuildObserver, BuildStatus, ObservedTask
from stardag.build.plan import Plan
from stardag.build.report import Progressed, Report, Shown
from stardag.build.summary import BuildSummary, FailMode, SkippedTask, TaskFailure
from stardag.telemetry.current import open_trace, started_within

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from stardag._task import BaseTask
    from stardag.build.executors.port import Executor
    from stardag.build.locks import LeaseSource

_LOOK_AGAIN_S = (0.05, 1.0)  # for a lease of another build: at first, and at most
_WAIT = (State.WAITING, State.SUSPENDED)


class BuildRun:
    """The state of one build, and a `BuildView` of it.

    Used by one thread, but for what guards and executors call, and for the view.
    """

    def __init__(
        self,
        roots: Sequence[BaseTask],
        observer: BuildObserver,
        route: Callable[[BaseTask], Executor],
        *,
        fail_mode: FailMode = FailMode.FAIL_FAST,
        in_threads: bool = False,
        at_once: int | None = None,
        capacities: Mapping[str, float] | None = None,
        lock: LeaseSource | None = None,
        exit_early: bool = False,
        description: str = "",
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare the build of `roots`; nothing is looked at before `start`.

        `route` says which executor runs a task. With `in_threads`, tasks may be asked in threads
        whether they are complete. At most `at_once` attempts run at once, as far as
        `capacities`, how much there is of each resource, allow. With `exit_early`, nothing is
        waited for that another build holds the lease of.
        """
        self._roots = roots
        self._observer = observer
        self._report = self._take_report if observer.listens else None
        self._description = description
        self._labels = labels
        self._graph = Graph(in_threads=in_threads)
        self._frontier = Frontier(fail_fast=fail_mode is FailMode.FAIL_FAST)
        self._plan = Plan(route, capacities or {}, at_once, self._frontier.limit)
        self._executors: list[Executor | None] = []  # of each task that may have to run
        self._lock = lock
        self._exit_early = exit_early
        self._running: dict[int, Attempt] = {}
        self._paused: dict[int, Attempt] = {}  # suspended, blocked, or to be tried again
        self._due: list[tuple[float, int]] = []  # when what is held is to be looked at again
        self._looks: dict[int, int] = {}  # how often a blocked task was looked at
        self._causes: dict[int, BaseTask] = {}
        self._stopping = False
        self.summary = BuildSummary(uuid7(), "completed")
        self._started_within = started_within()
        self._trace = open_trace(self.summary.build_id, self._started_within)

    def start(self) -> None:
        """Find the tasks and report them. Raises what `Graph.discover` raises."""
        self._started_at = time.monotonic()
        self._observer.build_started(
            BuildInfo(
                self.summary.build_id,
                self._roots,
                self._description,
                self._labels,
                view=self,
                trace_parent=str(self._started_within or ""),
            )
        )
        self._discover(self._roots)

    def take(self) -> tuple[Attempt, Executor] | None:
        """Return an attempt to run now, and what runs it; None if there is none."""
        number = self._frontier.take()
        if number is None:
            return None
        attempt = self._paused.pop(number, None)
        if attempt is None:
            attempt = self._new_attempt(number, 1)
        if attempt.suspended:
            attempt.suspended = False
            self._observer.task_resumed(attempt.task, attempt.number)
        elif attempt.guard is None:
            self._observer.task_started(attempt.task, attempt.number)
        self._running[number] = attempt
        return attempt, self._executor(number)

    def settle(self, attempt: Attempt, outcome: Outcome) -> None:
        """Take note of how a taken attempt ended."""
        if self._running.get(attempt.place) is not attempt:
            return  # of an executor that says so twice
        del self._running[attempt.place]
        match outcome:
            case End.COMPLETED | End.REUSED:
                self._note_done(attempt, outcome)
            case _ if self._stopping:
                self._pause(attempt, None)  # what is paused at the end is cancelled
            case Suspended():
                self._suspend(attempt, outcome)
            case End.BLOCKED:
                self._block(attempt)
            case Failed(error):
                self._fail(attempt, error)

    def release_due(self) -> None:
        """Let go on what is to be looked at, or tried, again by now."""
        while self._due and self._due[0][0] <= time.monotonic():
            self._frontier.release(heappop(self._due)[1])

    @property
    def wait_s(self) -> float | None:
        """Seconds until something is due; None if nothing is."""
        return max(0.0, self._due[0][0] - time.monotonic()) if self._due else None

    @property
    def is_over(self) -> bool:
        """Whether nothing runs, and nothing is to be tried again."""
        return not self._running and (self._frontier.closed or not self._due)

    @property
    def closed(self) -> bool:
        """Whether nothing more is to be started."""
        return self._frontier.closed

    def waiting_for(self, task: ObservedTask) -> list[BaseTask]:
        """Return the tasks that wait for this one, directly."""
        frontier, tasks = self._frontier, self._graph.tasks
        dependents = tuple(frontier.dependents(self._number(task)))
        return [tasks[d] for d in dependents if frontier.state(d) in _WAIT]

    def unmet(self, task: ObservedTask) -> int:
        """Return how many tasks this one waits for, directly."""
        return self._frontier.unmet(self._number(task))

    def is_done(self, task: ObservedTask) -> bool:
        """Return whether the task's output is known to be there."""
        return self._frontier.state(self._number(task)) is State.DONE

    def stop(self) -> None:
        """Give nothing out any more, and ask what runs to end soon."""
        self._stopping = True
        self._frontier.close()
        for number, attempt in self._running.items():
            self._executor(number).stop(attempt)

    def finish(self) -> BuildSummary:
        """End the build after its last task, and return what it did."""
        failures = self.summary.failures
        exits = self._exit_early and not failures and bool(self._frontier.held)
        self._cancel_rest()
        if exits:
            self._end("exited_early", "what is left is being built elsewhere")
        else:
            self._end("failed" if failures else "completed", str(failures[0]) if failures else "")
        return self.summary

    def cancel(self, reason: str) -> None:
        """End the build, after its last running task, because somebody elsewhere asked for it."""
        self._cancel_rest()
        self._end("cancelled", reason)

    def abort(self, error: BaseException) -> None:
        """End the build because of what kept its driver from going on.

        An interrupt cancels it; anything else fails it. What has not ended is cancelled.
        """
        self._cancel_rest()
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            self._end("cancelled", "interrupted")
        else:
            self._end("failed", f"{type(error).__name__}: {error}")

    def _new_attempt(self, number: int, count: int) -> Attempt:
        task = self._graph.tasks[number]
        guard = None if self._lock is None else Guard(self._lock, self._begun)
        return Attempt(task, number, count, guard=guard, trace=self._trace, report=self._report)

    def _take_report(self, attempt: Attempt, report: Report) -> None:
        """Pass on what a running task says. Called by the thread that it runs in."""
        if self._running.get(attempt.place) is not attempt:
            return  # it was left to itself
        match report:
            case Progressed(fraction, message):
                self._observer.task_progressed(attempt.task, attempt.number, fraction, message)
            case Shown(asset):
                self._observer.asset_shown(attempt.task, asset)

    def _begun(self, attempt: Attempt) -> None:
        if attempt.guard is not None and attempt.guard.token:
            self._observer.task_leased(attempt.task, attempt.guard.token)
        self._observer.task_started(attempt.task, attempt.number)

    def _number(self, task: ObservedTask) -> int:
        return self._graph.number(cast("BaseTask", task))  # which is what observers are told of

    def _executor(self, number: int) -> Executor:
        executor = self._executors[number]
        assert executor is not None, "what is complete is not run"
        return executor

    def _discover(self, tasks: Sequence[BaseTask], found_by: int | None = None) -> None:
        """Find what is new, and add it: all of it, or nothing if something is wrong with it."""
        found = self._graph.discover(tasks)
        places = [self._plan.place(f.task) if f.requires is not None else None for f in found]
        for new, place in zip(found, places, strict=True):
            requires = self._graph.add(new)
            if place is None:
                self._executors.append(None)
                self._frontier.add((), done=True)
                self.summary.counts.reused += 1
                self._observer.task_reused(new.task, ())
                continue
            executor, needs = place
            self._executors.append(executor)
            number = self._frontier.add(requires, needs=needs, found_by=found_by)
            self._observer.task_pending(new.task, [self._graph.tasks[n] for n in requires])
            if self._frontier.state(number) is State.SKIPPED:
                self._note_lost(number, self._cause_among(requires))

    def _note_done(self, attempt: Attempt, outcome: End) -> None:
        self._frontier.complete(attempt.place)
        if outcome is End.COMPLETED:
            self.summary.counts.completed += 1
            self._observer.task_completed(attempt.task, attempt.number)
        else:
            self.summary.counts.reused += 1
            self._observer.task_reused(attempt.task, ())

    def _suspend(self, attempt: Attempt, outcome: Suspended) -> None:
        """Wait for what the task yielded, or fail the attempt if that can't be."""
        number = attempt.place
        attempt.generator = outcome.generator
        try:
            self._discover(outcome.waits_for, found_by=number)
            wanted = [self._graph.number(t) for t in outcome.waits_for]
            self._refuse_circle(number, wanted)
        except Exception as error:  # a yielded task's own code may raise anything
            self._fail(attempt, error)
            return
        attempt.suspended = True
        self._observer.task_suspended(
            attempt.task, attempt.number, outcome.waits_for, restarts=outcome.generator is None
        )
        if self._frontier.suspend(number, wanted):
            self._paused[number] = attempt
        else:
            cause = self._cause_among(wanted)
            self._fail(attempt, UpstreamFailedError(f"{cause!r} did not complete"))

    def _refuse_circle(self, number: int, wanted: Sequence[int]) -> None:
        for other in wanted:
            if (chain := self._frontier.chain(other, number)) is not None:
                raise CycleError([repr(self._graph.tasks[n]) for n in (number, *chain)])

    def _block(self, attempt: Attempt) -> None:
        """Wait for the lease that another build holds; look again now and then, if at all."""
        number = attempt.place
        looks = self._looks[number] = self._looks.get(number, 0) + 1
        if looks == 1:
            self._observer.task_blocked(attempt.task, attempt.number)
        first, most = _LOOK_AGAIN_S
        wait = min(most, first * 2.0 ** min(looks, 10)) * random.uniform(0.5, 1)
        self._pause(attempt, None if self._exit_early else wait)

    def _fail(self, attempt: Attempt, error: BaseException) -> None:
        """Try again after a while, if the task asks for that; else the task has failed."""
        error = self._discard(attempt, error)
        execution = attempt.task._execution
        retries = attempt.number <= execution.retries and not isinstance(
            error, (VersionMismatchError, CycleError, UpstreamFailedError)
        )
        if retries and isinstance(error, execution.retry_on):
            self._observer.task_failed(attempt.task, attempt.number, error, will_retry=True)
            most = min(MAX_BACKOFF_S, execution.retry_backoff * 2.0 ** min(attempt.number - 1, 30))
            self._pause(
                self._new_attempt(attempt.place, attempt.number + 1), random.uniform(0, most)
            )
            return
        lost = self._frontier.fail(attempt.place)
        self._note_failure(attempt, error)
        for dependent in lost:
            self._note_lost(dependent, attempt.task)

    def _pause(self, attempt: Attempt, wait_s: float | None) -> None:
        """Keep an attempt that is not running, to go on with it after a while, if at all."""
        self._frontier.hold(attempt.place)
        self._paused[attempt.place] = attempt
        if wait_s is not None:
            heappush(self._due, (time.monotonic() + wait_s, attempt.place))

    def _discard(self, attempt: Attempt, error: BaseException) -> BaseException:
        """Let go of what an attempt holds that will not go on because of `error`."""
        try:
            self._executor(attempt.place).discard(attempt)
        except Exception as closing:  # the generator's own clean-up; its cause matters more
            error.add_note(f"closing the generator raised {closing!r}")
        attempt.generator = None
        if attempt.guard is not None:
            attempt.guard.release()
        return error

    def _cause_among(self, numbers: Sequence[int]) -> BaseTask:
        """Return the failed task because of which one of these is lost."""
        for number in numbers:
            if self._frontier.state(number) is State.FAILED:
                return self._graph.tasks[number]
            if number in self._causes:
                return self._causes[number]
        raise StardagError("none of the dependencies failed")

    def _note_failure(self, attempt: Attempt, error: BaseException) -> None:
        self.summary.counts.failed += 1
        self.summary.failures.append(TaskFailure(attempt.task, error))
        self._observer.task_failed(attempt.task, attempt.number, error, will_retry=False)

    def _note_lost(self, number: int, cause: BaseTask) -> None:
        task = self._graph.tasks[number]
        self._causes[number] = cause
        if self._frontier.state(number) is State.STOPPED:
            error = UpstreamFailedError(f"{cause!r} did not complete")
            attempt = self._paused.pop(number)
            self._note_failure(attempt, self._discard(attempt, error))
            return
        self.summary.counts.skipped += 1
        self.summary.skipped.append(SkippedTask(task, cause))
        self._observer.task_skipped(task, cause)

    def _cancel_rest(self) -> None:
        for number, begun in self._frontier.cancel():
            attempt = self._running.pop(number, None)  # left to itself
            if (paused := self._paused.pop(number, None)) is not None:
                attempt = paused
                self._discard(paused, StardagError("the build ended"))
            self.summary.counts.cancelled += 1
            count = attempt.number if attempt is not None and begun else 0
            self._observer.task_cancelled(self._graph.tasks[number], count)

    def _end(self, status: BuildStatus, reason: str) -> None:
        for executor in self._plan.executors:
            executor.close()
        self.summary.status = status
        self.summary.reason = reason
        self.summary.duration_s = time.monotonic() - self._started_at
        self._observer.build_ended(status, reason)
