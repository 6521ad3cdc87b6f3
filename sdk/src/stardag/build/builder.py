"""`build` and its variants: from tasks to a summary."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypedDict

from stardag._errors import StardagError
from stardag._provider import Provider
from stardag._task import TaskStruct, flatten_task_struct
from stardag.build.run import BuildRun
from stardag.build.silent import SilentObserver
from stardag.build.summary import BuildSummary, FailMode

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from typing_extensions import Unpack

    from stardag.build.observer import BuildObserver


class BuildOptions(TypedDict, total=False):
    """The keywords that `build` and its variants share."""

    fail_mode: FailMode
    """What to do when a task fails; by default FAIL_FAST."""
    flush_timeout: float | None
    """Most seconds to wait at the end until events are delivered; None: as configured."""
    description: str
    """Free text that the build's record shows."""
    labels: Mapping[str, str] | None
    """Labels that builds can be found by."""


def build(
    tasks: TaskStruct,
    *,
    fail_mode: FailMode = FailMode.FAIL_FAST,
    max_workers: int | None = None,
    flush_timeout: float | None = None,
    description: str = "",
    labels: Mapping[str, str] | None = None,
) -> BuildSummary:
    """Make what does not exist yet of `tasks` and of all they need, in threads.

    Each incomplete task runs once, as soon as its dependencies are complete; `max_workers` at
    a time, by default a few more than there are cores. Returns what was done, also when tasks
    failed: `BuildSummary.raise_for_status` raises then. FAIL_FAST starts nothing after a
    failure; CONTINUE builds all that can be built.

    Where a server is configured, the build is reported by itself; the call then waits up to
    `flush_timeout` seconds (by default the configuration's, 2) until all of it is delivered.

    Raises `CycleError`, `IdentityError`, or what a task's `complete` or `requires` raises,
    before anything runs; and KeyboardInterrupt after a build interrupted has been put on record.
    """
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise StardagError("this thread runs an event loop: use `await build_aio(...)` instead")
    return asyncio.run(
        build_aio(
            tasks,
            fail_mode=fail_mode,
            max_workers=max_workers,
            flush_timeout=flush_timeout,
            description=description,
            labels=labels,
        )
    )


async def build_aio(
    tasks: TaskStruct, *, max_workers: int | None = None, **options: Unpack[BuildOptions]
) -> BuildSummary:
    """Do as `build` does, from a coroutine."""
    from stardag.build.concurrent import drive

    workers = min(32, (os.cpu_count() or 1) + 4) if max_workers is None else max_workers
    if workers < 1:
        raise ValueError(f"max_workers must be at least 1, not {workers}")
    with _building(tasks, **options) as run:
        await drive(run, workers)
    return run.summary


def build_sequential(tasks: TaskStruct, **options: Unpack[BuildOptions]) -> BuildSummary:
    """Do as `build` does, one task after the other in the caller's thread (so pdb works)."""
    from stardag.build.sequential import drive

    with _building(tasks, **options) as run:
        drive(run)
    return run.summary


def open_observer() -> BuildObserver:
    """Return what builds are told to, as the configuration asks."""
    from stardag.config import get_config

    config = get_config()
    wanted = config.server.address or config.tracking.offline or _traces_wanted()
    if not wanted:
        return SilentObserver()
    from stardag.tracking import open_tracker

    return open_tracker(config) or SilentObserver()


def _traces_wanted() -> bool:
    names = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return any(os.environ.get(name) for name in names)


observer_provider: Provider[Callable[[], BuildObserver]] = Provider(lambda: open_observer)
"""Makes the observer of each build; override it to record builds in a test."""


@contextmanager
def _building(
    tasks: TaskStruct,
    *,
    fail_mode: FailMode = FailMode.FAIL_FAST,
    flush_timeout: float | None = None,
    description: str = "",
    labels: Mapping[str, str] | None = None,
) -> Generator[BuildRun]:
    """Start a build, have it driven in the `with` block, and end it."""
    roots = flatten_task_struct(tasks)
    observer = observer_provider.get()()
    run = BuildRun(
        roots, observer, fail_mode=fail_mode, description=description, labels=labels or {}
    )
    try:
        run.start()
        yield run
        run.finish()
    except BaseException as error:
        run.abort(error)
        raise
    finally:
        observer.wait_delivered(_flush_timeout() if flush_timeout is None else flush_timeout)


def _flush_timeout() -> float:
    from stardag.config import get_config

    return get_config().tracking.flush_timeout
