"""One attempt at one task: run it until it ends or yields.

The logic is one coroutine, for all forms of `run`: what waits in an event loop waits in
`_steps_aio`, and in a thread nothing does.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from stardag._errors import (
    OutputMissingError,
    TaskCancelledError,
    TaskDefinitionError,
    TaskTimeoutError,
)
from stardag._task import BaseTask, TaskStruct, flatten_task_struct
from stardag.telemetry import current as telemetry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stardag.build.locks import Guard
    from stardag.build.report import Report
    from stardag.telemetry.current import BuildTrace
    from stardag.telemetry.trace_parent import TraceParent

T = TypeVar("T")

TaskGenerator: TypeAlias = Generator[TaskStruct, Any, Any] | AsyncGenerator[TaskStruct, Any]


@dataclass(slots=True, eq=False)
class Attempt:
    """One attempt at a task, from its start to its end, however often it is suspended."""

    task: BaseTask
    place: int = 0
    """The task's number in its build."""
    number: int = 1
    """Which attempt it is, from 1."""
    suspended: bool = False
    """Whether it has yielded, and was not resumed yet."""
    generator: TaskGenerator | None = None
    """What is to be resumed, after a yield in this process."""
    deadline: float | None = None
    """When it has run for long enough, on the monotonic clock; set while it runs."""
    stopping: BaseException | None = field(default=None, repr=False)
    """Why it is to end soon, if it is."""
    guard: Guard | None = field(default=None, repr=False)
    """Its lease, if it is to have one."""
    trace: BuildTrace | None = field(default=None, repr=False)
    """The trace that its span is part of, if there is one."""
    report: Callable[[Attempt, Report], None] | None = field(default=None, repr=False)
    """Takes what the task says while it runs; None if nobody listens."""
    progressed_at: float = float("-inf")
    """When it last said how far it is."""

    def begin_running(self) -> None:
        """Start the clock of the timeout."""
        timeout = self.task._execution.timeout
        self.deadline = None if timeout is None else time.monotonic() + timeout

    def stop(self) -> None:
        """Ask it to end soon."""
        if self.stopping is None:
            self.stopping = TaskCancelledError(f"{self.task!r} was cancelled")

    @property
    def span(self) -> TraceParent | None:
        """The place of its span, if it has one."""
        return self.trace.attempt(self.task.id, self.number) if self.trace is not None else None

    def check(self) -> None:
        """Raise why the attempt is to end, if it is to."""
        if self.stopping is not None:
            raise self.stopping
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise timed_out(self.task)


class End(Enum):
    """How an attempt ended, where there is no more to say of it."""

    COMPLETED = "completed"
    """The task ran, and its output is there."""
    REUSED = "reused"
    """The output was there when the task was about to run: another build has made it."""
    BLOCKED = "blocked"
    """Another build holds the task's lease."""


@dataclass(frozen=True)
class Suspended:
    """The task yielded, and is to be resumed when what it yielded is complete."""

    generator: TaskGenerator | None
    """None if it runs again from its beginning."""
    waits_for: Sequence[BaseTask]


@dataclass(frozen=True)
class Failed:
    """The task raised."""

    error: BaseException


Outcome: TypeAlias = End | Suspended | Failed

_current: ContextVar[Attempt] = ContextVar("stardag_attempt")


def current_attempt() -> Attempt | None:
    """Return the attempt that the caller is part of, if any."""
    return _current.get(None)


def checkpoint() -> None:
    """Let the task that calls this be stopped here, if it is to be.

    A thread can't be ended from outside. So a `run` that takes long, and can't be in a process of
    its own, calls this now and then: it raises `TaskTimeoutError` once the task's timeout is
    over, and `TaskCancelledError` once the build is cancelled. Elsewhere it does nothing.
    """
    attempt = current_attempt()
    if attempt is not None:
        attempt.check()


def timed_out(task: BaseTask) -> TaskTimeoutError:
    """Return the error of an attempt that ran for too long."""
    return TaskTimeoutError(f"{task!r} ran for more than {task._execution.timeout:g} s")


def advance(attempt: Attempt) -> Outcome:
    """Run a task from its beginning, or resume its generator, in this thread.

    Returns how that ended. Raises KeyboardInterrupt only, as that is for the whole build.
    """
    return finish_in_thread(_advance(attempt, _step, _is_complete))


async def advance_aio(attempt: Attempt) -> Outcome:
    """Do as `advance` does, in the running event loop. A timeout cancels the task."""
    return await _advance(attempt, _step_aio, _is_complete_aio)


def finish_in_thread(work: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as ended:
        return ended.value
    raise AssertionError("nothing waits in a thread")


async def _advance(
    attempt: Attempt,
    step: Callable[[Attempt], Awaitable[tuple[TaskGenerator, TaskStruct] | None]],
    is_complete: Callable[[BaseTask], Awaitable[bool]],
) -> Outcome:
    task = attempt.task
    token = _current.set(attempt)
    span = attempt.span if attempt.trace is not None and attempt.trace.is_current else None
    entered = telemetry.enter(span) if span is not None else None
    try:
        attempt.begin_running()
        if attempt.generator is None:
            task.check_version()
        yielded = await step(attempt)
        if yielded is not None:
            return Suspended(yielded[0], flatten_task_struct(yielded[1]))
        if not await is_complete(task):
            raise output_missing(task)
        if attempt.report is not None and _has_assets(task):
            from stardag.build.report import show_assets

            show_assets(attempt)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever else the task's code raises is its outcome
        return Failed(error)
    finally:
        _current.reset(token)
        if entered is not None:
            telemetry.leave(entered)
    return End.COMPLETED


def _has_assets(task: BaseTask) -> bool:
    return type(task).registry_assets is not BaseTask.registry_assets


async def _step(attempt: Attempt) -> tuple[TaskGenerator, TaskStruct] | None:
    """Run `run` to its next yield, which is returned, or to its end."""
    generator = cast("Generator[TaskStruct, Any, Any] | None", attempt.generator)
    if generator is None:
        result: object = attempt.task.run()
        if isinstance(result, Coroutine):
            result.close()
            raise TaskDefinitionError(
                f"run of {type(attempt.task).__qualname__} returned a coroutine: define it as "
                "`async def run`"
            )
        if not isinstance(result, Generator):
            return None
        generator = cast("Generator[TaskStruct, Any, Any]", result)
    try:
        return generator, next(generator)
    except StopIteration:
        return None


async def _step_aio(attempt: Attempt) -> tuple[TaskGenerator, TaskStruct] | None:
    import asyncio

    try:
        async with asyncio.timeout_at(_loop_time(attempt.deadline)):
            return await _step_async_form(attempt)
    except TimeoutError:
        if attempt.deadline is not None and time.monotonic() >= attempt.deadline:
            raise timed_out(attempt.task) from None
        raise


async def _step_async_form(attempt: Attempt) -> tuple[TaskGenerator, TaskStruct] | None:
    generator = cast("AsyncGenerator[TaskStruct, Any] | None", attempt.generator)
    if generator is None:
        entry = attempt.task._form.aio
        assert entry is not None, "only what has such a form is run in an event loop"
        result: object = getattr(attempt.task, entry)()
        if isinstance(result, Coroutine):
            await cast("Coroutine[Any, Any, Any]", result)
            return None
        generator = cast("AsyncGenerator[TaskStruct, Any]", result)
    try:
        return generator, await anext(generator)
    except StopAsyncIteration:
        return None


def _loop_time(deadline: float | None) -> float | None:
    """Return a time on the monotonic clock as one on the running loop's."""
    import asyncio

    loop_time = asyncio.get_running_loop().time
    return None if deadline is None else loop_time() + deadline - time.monotonic()


async def _is_complete(task: BaseTask) -> bool:
    return task.complete()


async def _is_complete_aio(task: BaseTask) -> bool:
    """Ask in a thread: the answer may come from far away."""
    import asyncio

    return await asyncio.to_thread(task.complete)


def output_missing(task: BaseTask) -> OutputMissingError:
    """Return the error of a task whose `run` did not make what it promised."""
    place = task.output_uri()
    return OutputMissingError(
        f"{task!r} ran without an error, but is not complete"
        + (f": {place} does not exist" if place else "")
    )
