"""What a process of the `ProcessExecutor` does: rebuild tasks, run them, answer.

The two sides talk through a pipe of `multiprocessing`. The parent sends the environment once, and
then for each attempt an `Order`. What comes back is what the task says while it runs, and then
how it ended.
"""

from __future__ import annotations

import importlib
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stardag._dag_json import bodies_of, tasks_from_bodies
from stardag._errors import TaskCancelledError
from stardag._identified import id_text
from stardag._readable import error_text
from stardag.build.attempt import (
    Attempt,
    Failed,
    Suspended,
    advance,
    advance_aio,
    finish_in_thread,
)
from stardag.build.progress.display import DISPLAY
from stardag.telemetry.current import VARIABLE, export_own_spans

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from multiprocessing.connection import Connection

    from stardag._task import BaseTask
    from stardag.build.attempt import Outcome
    from stardag.build.report import Report
    from stardag.telemetry.current import BuildTrace


@dataclass(frozen=True, slots=True)
class Order:
    """An attempt to run."""

    task: str
    """Id of the task."""
    number: int
    """Which attempt it is."""
    modules: Sequence[str]
    """What defines types in the parent, and was not named before."""
    bodies: dict[str, Any]
    """Tasks that are new here."""
    reports: bool
    """Whether the parent listens to what the task says while it runs."""
    trace: BuildTrace | None
    """The trace that the attempt's span is part of."""


@dataclass(frozen=True, slots=True)
class Done:
    """The task ran to its end."""


@dataclass(frozen=True, slots=True)
class Yielded:
    """The task yielded tasks that are not complete."""

    roots: list[str]
    bodies: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Raised:
    """The task raised."""

    pickled: bytes | None
    """The exception; None if it can't be pickled."""
    name: str
    text: str
    trace: str

    def error(self) -> BaseException:
        """Return the exception, caused by the traceback that it had in the other process."""
        error = pickle.loads(self.pickled) if self.pickled is not None else None
        if not isinstance(error, BaseException):
            error = RemoteError(f"{self.name}: {self.text}")
        error.__cause__ = RemoteTraceback(f"\n{self.trace}")
        return error


class RemoteError(Exception):
    """Stands for an exception that can't leave the process that raised it."""


class RemoteTraceback(Exception):
    """A traceback of another process, as text; the cause of what was raised there."""


def main(connection: Connection) -> None:
    """Serve one parent until it closes the pipe, or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which decides
    DISPLAY.acquire(blocking=False)  # the terminal is for what the parent shows
    made: dict[str, BaseTask] = {}
    try:
        _take_after(*connection.recv())
        saying = threading.Lock()  # a task may report from threads of its own

        def say(something: Report | Done | Yielded | Raised) -> None:
            with saying:
                connection.send(something)

        while True:
            say(_answer(connection.recv(), made, say))
    except (EOFError, ConnectionError):
        return
    finally:
        export_own_spans()  # `multiprocessing` ends its processes without `atexit`


def _take_after(environ: dict[str, str], roots: dict[str, str] | None) -> None:
    """Have the parent's environment and target roots: the fork server may be older than they."""
    os.environ.clear()
    os.environ.update(environ)
    if roots is not None:
        from stardag.target import TargetFactory, target_factory_provider

        target_factory_provider.set(TargetFactory(roots))


def _answer(
    order: Order, made: dict[str, BaseTask], say: Callable[[Report], None]
) -> Done | Yielded | Raised:
    def report(_: Attempt, report: Report) -> None:
        say(report)

    try:
        signal.signal(signal.SIGTERM, _raise_cancelled)
        _import(order.modules)
        (task,) = tasks_from_bodies([order.task, *order.bodies], order.bodies, made)[:1]
        attempt = Attempt(
            task,
            number=order.number,
            trace=order.trace.in_this_process() if order.trace is not None else None,
            report=report if order.reports else None,
        )
        if attempt.span is not None:  # for programs that the task starts
            os.environ[VARIABLE] = str(attempt.span)
        outcome = _advance(attempt)
    except BaseException as error:
        outcome = Failed(error)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    match outcome:
        case Failed(error):
            return _raised(error)
        case Suspended(_, waits_for):
            return Yielded([id_text(t) for t in waits_for], bodies_of(waits_for))
        case _:
            return Done()


def _advance(attempt: Attempt) -> Outcome:
    """Run the task until it has ended, or waits for what is not complete."""
    if not attempt.task._form.sync:
        import asyncio

        return asyncio.run(_advance_to_wait(attempt, advance_aio))

    async def advance_here(attempt: Attempt) -> Outcome:
        return advance(attempt)

    return finish_in_thread(_advance_to_wait(attempt, advance_here))


async def _advance_to_wait(
    attempt: Attempt, advance: Callable[[Attempt], Awaitable[Outcome]]
) -> Outcome:
    while isinstance(outcome := await advance(attempt), Suspended):
        generator = attempt.generator = outcome.generator
        if not all(task.complete() for task in outcome.waits_for):
            if isinstance(generator, AsyncGenerator):
                await generator.aclose()
            elif generator is not None:
                generator.close()
            break
    return outcome


def _import(modules: Iterable[str]) -> None:
    """Import what defines types in the parent; what is missing is noticed when it is needed."""
    for name in modules:
        if name not in sys.modules and name != "__main__":
            try:
                importlib.import_module(name)
            except ImportError:
                continue


def _raised(error: BaseException) -> Raised:
    trace = "".join(traceback.format_exception(error))
    try:
        pickled = pickle.dumps(error)
        pickle.loads(pickled)
    except Exception:  # whatever a class's own pickling does
        pickled = None
    return Raised(pickled, type(error).__qualname__, error_text(error), trace)


def _raise_cancelled(*_: object) -> None:
    raise TaskCancelledError("the build was cancelled")
