"""One call of `build`, from its options to its summary."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from stardag._task import BaseTask, TaskStruct, flatten_task_struct
from stardag.build.builder import observer_provider
from stardag.build.driver import Driver
from stardag.build.executors.inline import InlineExecutor
from stardag.build.executors.threads import ThreadExecutor
from stardag.build.fan_out import FanOut
from stardag.build.interrupts import Interrupts
from stardag.build.run import BuildRun
from stardag.build.silent import SilentObserver
from stardag.build.summary import FailMode

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future
    from collections.abc import Mapping
    from uuid import UUID

    from stardag.build.executors.port import Executor
    from stardag.build.locks import LeaseSource
    from stardag.build.observer import BuildObserver
    from stardag.build.summary import BuildSummary


RESUMES = "resumes"
"""Label of a build that goes on with another: that one's id."""

_LABELS, _LABEL_KEY, _LABEL_VALUE = 32, 63, 255  # as the contract has them


class Building:
    """A build with its executors and its observers."""

    def __init__(
        self,
        tasks: TaskStruct,
        *,
        executor: Executor | None = None,
        max_workers: int | None = None,
        loop: AbstractEventLoop | None = None,
        fail_mode: FailMode = FailMode.FAIL_FAST,
        lock: LeaseSource | None = None,
        exit_early: bool = False,
        resources: Mapping[str, float] | None = None,
        resume: UUID | str | None = None,
        progress: bool | None = None,
        flush_timeout: float | None = None,
        description: str = "",
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare to build `tasks`; nothing is looked at before `run`.

        `loop` is where the `async def` forms of tasks run, and are preferred; without it, a task
        that has no other form gets a loop that the build makes. Raises `ValueError` for
        options that can't be, and `TypeError` for what is no task.
        """
        if max_workers is not None and max_workers < 1:
            raise ValueError(f"max_workers must be at least 1, not {max_workers}")
        if tasks is None:  # pyright: ignore[reportUnnecessaryComparison]
            raise TypeError("there are no tasks to build: None was given")
        roots = flatten_task_struct(tasks)
        self._executor = executor or ThreadExecutor(max_workers)
        self._is_inline = isinstance(executor, InlineExecutor)
        self._prefers_loop = loop is not None and executor is None
        self._loop, self._loop_slots = loop, max_workers
        self._loop_executor: Executor | None = None
        self._flush_timeout = flush_timeout
        self._observer = _with_progress(observer_provider.get()(), progress)
        self._run = BuildRun(
            roots,
            self._observer,
            self._route,
            fail_mode=fail_mode,
            in_threads=not self._is_inline,
            at_once=max_workers,
            capacities=_configured_resources() if resources is None else resources,
            lock=lock,
            exit_early=exit_early,
            description=description,
            labels=_checked({**(labels or {}), **({RESUMES: str(resume)} if resume else {})}),
        )
        self._driver = Driver(self._run, self._observer.stop_requested)

    def stop(self) -> None:
        """Have the build end politely. May be called from any thread."""
        self._driver.stop()

    def run(self) -> BuildSummary:
        """Build, in this thread. Raises as `build` does."""
        run, driver = self._run, self._driver
        interrupts = Interrupts(None if self._is_inline else driver.stop)
        try:
            with interrupts:
                run.start()
                driver.drive()
            if driver.stopped and (interrupts.received or driver.stop_reason is None):
                raise interrupts.exception()
            if driver.stop_reason is not None:
                run.cancel(f"cancelled from afar: {driver.stop_reason}")
            else:
                run.finish()
        except BaseException as error:
            run.abort(error)
            if interrupts.received and isinstance(error, KeyboardInterrupt):
                raise interrupts.exception() from None
            raise
        finally:
            self._observer.wait_delivered(self._flush_for())
        return run.summary

    def _route(self, task: BaseTask) -> Executor:
        if self._prefers_loop and task._form.aio is not None:
            return self._event_loop()
        return self._executor.choose(task) or self._event_loop()

    def _event_loop(self) -> Executor:
        if self._loop_executor is None:
            from stardag.build.executors.event_loop import EventLoopExecutor

            self._loop_executor = EventLoopExecutor(self._loop, self._loop_slots)
        return self._loop_executor

    def _flush_for(self) -> float:
        if self._flush_timeout is not None:
            return self._flush_timeout
        from stardag.config import get_config

        return get_config().tracking.flush_timeout


def _checked(labels: Mapping[str, str]) -> Mapping[str, str]:
    """Return labels that the contract has room for.

    Raises `TypeError` for what is no text, and `ValueError` for what is too much.
    """
    for key, value in labels.items():
        if not (isinstance(key, str) and isinstance(value, str)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"labels are texts by name, and {key!r}: {value!r} is none")
        if len(key) > _LABEL_KEY or len(value) > _LABEL_VALUE:
            raise ValueError(
                f"label {key[:_LABEL_KEY]!r}: a name has at most {_LABEL_KEY} characters, and a "
                f"value {_LABEL_VALUE}"
            )
    if len(labels) > _LABELS:
        raise ValueError(f"a build has at most {_LABELS} labels, not {len(labels)}")
    return labels


def _with_progress(observer: BuildObserver, progress: bool | None) -> BuildObserver:
    """Return an observer that shows progress too, where it is to be shown."""
    from stardag.build.progress.form import choose_form

    stream = sys.stderr
    form = choose_form(progress, stream, os.environ)
    if form is None or (progress is None and _is_quiet()):
        return observer
    from stardag.build.progress.observer import ProgressObserver

    shown = ProgressObserver(form, stream)
    return shown if isinstance(observer, SilentObserver) else FanOut(observer, shown)


def _is_quiet() -> bool:
    from stardag.config import get_config

    return get_config().tracking.quiet


def _configured_resources() -> Mapping[str, float]:
    from stardag.config import get_config

    return get_config().resources


async def run_aio(tasks: TaskStruct, **options: Any) -> BuildSummary:
    """Build in a thread, with the running loop for the tasks that want one.

    A cancellation stops the build politely, and raises CancelledError once it has ended; a
    second one raises it at once.
    """
    import asyncio
    import contextvars
    import threading

    loop = asyncio.get_running_loop()
    building = Building(tasks, loop=loop, **options)
    ended: Future[BuildSummary] = loop.create_future()

    def end(summary: BuildSummary | None, error: BaseException | None) -> None:
        if ended.done():
            return
        if error is not None:
            ended.set_exception(error)
        elif summary is not None:
            ended.set_result(summary)

    def work() -> None:
        try:
            outcome = building.run(), None
        except BaseException as error:
            outcome = None, error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(end, *outcome)

    context = contextvars.copy_context()
    # A daemon: after a second cancellation the program may end, whatever runs.
    threading.Thread(target=context.run, args=(work,), name="stardag-build", daemon=True).start()
    try:
        return await asyncio.shield(ended)
    except asyncio.CancelledError:
        building.stop()
        await asyncio.wait([ended])
        ended.exception()  # that of the stopped build, which is this cancellation
        raise
