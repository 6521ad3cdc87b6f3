"""`build` and its variants: the public face; what they do is in `building`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypedDict

from stardag._provider import Provider
from stardag.build.published import PublishedOptions, renamed
from stardag.build.silent import SilentObserver
from stardag.build.summary import BuildSummary, FailMode
from stardag.telemetry.current import traces_wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from uuid import UUID

    from typing_extensions import Unpack

    from stardag._task import TaskStruct
    from stardag.build.executors.port import Executor
    from stardag.build.locks import LeaseSource
    from stardag.build.observer import BuildObserver


class BuildOptions(TypedDict, total=False):
    """The keywords that `build` and its variants share."""

    fail_mode: FailMode
    """What to do when a task fails; by default FAIL_FAST."""
    lock: LeaseSource | None
    """Where leases come from, so that of several builds at once one runs each task."""
    exit_early: bool
    """With `lock`: end when all that is left is being built elsewhere, instead of waiting."""
    resources: Mapping[str, float] | None
    """How much there is of what tasks need; what is configured, if not given."""
    resume: UUID | str | None
    """The build that this one goes on with, for the record: what is there is never made again."""
    progress: bool | None
    """Whether to show progress on the standard error; None: in a terminal, and in CI.

    A build of less than half a second is not shown, nor is one within another that is.
    """
    flush_timeout: float | None
    """Most seconds to wait at the end until events are delivered; None: as configured."""
    description: str
    """Free text that the build's record shows."""
    labels: Mapping[str, str] | None
    """Labels that builds can be found by."""


class AnyOptions(BuildOptions, PublishedOptions, total=False):
    """Those, and the keywords that the 0.1 series had."""


def build(
    tasks: TaskStruct,
    *,
    executor: Executor | None = None,
    fail_mode: FailMode = FailMode.FAIL_FAST,
    max_workers: int | None = None,
    lock: LeaseSource | None = None,
    exit_early: bool = False,
    resources: Mapping[str, float] | None = None,
    resume: UUID | str | None = None,
    progress: bool | None = None,
    flush_timeout: float | None = None,
    description: str = "",
    labels: Mapping[str, str] | None = None,
    **published: Unpack[PublishedOptions],
) -> BuildSummary:
    """Make what does not exist yet of `tasks` and of all they need.

    Each incomplete task runs once, as soon as its dependencies are complete; `max_workers` at
    a time, by default a few more than there are cores. They run in threads, and those with an
    `async def run` in an event loop of the build's own, unless an `executor` says otherwise.
    Returns what was done, also when tasks failed: `BuildSummary.raise_for_status` raises then.
    FAIL_FAST starts nothing after a failure; CONTINUE builds all that can be built. The other
    keywords are those of `BuildOptions`; `published` are those that the 0.1 series had instead.

    Where a server is configured, the build is reported by itself; the call then waits up to
    `flush_timeout` seconds (by default the configuration's, 2) until all of it is delivered.

    Ctrl-C, and SIGTERM, end the build politely: nothing more is started, what runs is asked to
    stop and waited for, and what happened is put on record; then KeyboardInterrupt (SystemExit
    with 143) is raised. A second time, it is raised at once.

    Raises `CycleError`, `IdentityError`, `ConfigError`, or what a task's `complete` or
    `requires` raises, before anything runs.
    """
    from stardag.build.building import Building

    options: BuildOptions = {
        "fail_mode": fail_mode,
        "lock": lock,
        "exit_early": exit_early,
        "resources": resources,
        "progress": progress,
        "flush_timeout": flush_timeout,
        "description": description,
        "labels": labels,
    }
    older = renamed(published, executor=executor, resume=resume)
    return Building(tasks, max_workers=max_workers, **older, **options).run()


async def build_aio(
    tasks: TaskStruct,
    *,
    executor: Executor | None = None,
    max_workers: int | None = None,
    **options: Unpack[AnyOptions],
) -> BuildSummary:
    """Do as `build` does, from a coroutine, whose event loop is never blocked.

    Tasks with an `async def` form run in the caller's loop, others in threads. A cancellation
    ends the build as Ctrl-C ends `build`, and a second one at once.
    """
    from stardag.build.building import run_aio

    return await run_aio(tasks, max_workers=max_workers, **_today(options, executor=executor))


def build_sequential(tasks: TaskStruct, **options: Unpack[AnyOptions]) -> BuildSummary:
    """Do as `build` does, one task after the other in the caller's thread (so pdb works).

    Ctrl-C raises KeyboardInterrupt where the task is.
    """
    from stardag.build.building import Building
    from stardag.build.executors.inline import InlineExecutor

    return Building(tasks, max_workers=1, **_today(options, executor=InlineExecutor())).run()


async def build_sequential_aio(tasks: TaskStruct, **options: Unpack[AnyOptions]) -> BuildSummary:
    """Do as `build_aio` does, one task after the other."""
    from stardag.build.building import run_aio

    return await run_aio(tasks, max_workers=1, **_today(options))


def _today(options: AnyOptions, **others: Any) -> dict[str, Any]:
    """Return options, and others, under the names that they have today."""
    given = dict(options)
    own = {name: given.pop(name) for name in BuildOptions.__annotations__ if name in given}
    return renamed(given, **own, **others)


def open_observer() -> BuildObserver:
    """Return what builds are told to, as the configuration asks."""
    from stardag.config import get_config

    config = get_config()
    wanted = config.server.address or config.tracking.offline or traces_wanted(os.environ)
    if not wanted:
        return SilentObserver()
    from stardag.tracking import open_tracker

    return open_tracker(config) or SilentObserver()


observer_provider: Provider[Callable[[], BuildObserver]] = Provider(lambda: open_observer)
"""Makes the observer of each build; override it to record builds in a test."""
