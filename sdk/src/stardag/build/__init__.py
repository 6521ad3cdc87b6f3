"""Building: what is missing is found, scheduled, run and told to an observer."""

from typing import TYPE_CHECKING

from stardag._imported_later import imported_later
from stardag.build.builder import (
    BuildOptions,
    build,
    build_aio,
    build_sequential,
    build_sequential_aio,
    observer_provider,
)
from stardag.build.observer import BuildInfo, BuildObserver, BuildStatus, ObservedTask
from stardag.build.summary import (
    BuildExitStatus,
    BuildSummary,
    FailMode,
    SkippedTask,
    TaskCounts,
    TaskFailure,
)

if TYPE_CHECKING:
    from stardag.build.attempt import Attempt, checkpoint
    from stardag.build.executors import (
        Executor,
        HybridConcurrentTaskExecutor,
        InlineExecutor,
        ProcessExecutor,
        RoutedTaskExecutor,
        RoutingExecutor,
        TaskExecutorABC,
        ThreadExecutor,
    )
    from stardag.build.file_locks import FileLocks
    from stardag.build.locks import Lease, LeaseSource
    from stardag.build.service_locks import ServiceLocks

TaskCount = TaskCounts
"""The name in the 0.1 series."""

_executors = "stardag.build.executors"
_MODULES = {
    "Attempt": "stardag.build.attempt",
    "Executor": _executors,
    "FileLocks": "stardag.build.file_locks",
    "HybridConcurrentTaskExecutor": _executors,
    "InlineExecutor": _executors,
    "Lease": "stardag.build.locks",
    "LeaseSource": "stardag.build.locks",
    "ProcessExecutor": _executors,
    "RoutedTaskExecutor": _executors,
    "RoutingExecutor": _executors,
    "ServiceLocks": "stardag.build.service_locks",
    "TaskExecutorABC": _executors,
    "ThreadExecutor": _executors,
    "checkpoint": "stardag.build.attempt",
}
"""Where those names are that few programs use: they are imported when they are asked for."""

__getattr__ = imported_later(__name__, _MODULES)


__all__ = [
    "Attempt",
    "BuildExitStatus",
    "BuildInfo",
    "BuildObserver",
    "BuildOptions",
    "BuildStatus",
    "BuildSummary",
    "Executor",
    "FailMode",
    "FileLocks",
    "HybridConcurrentTaskExecutor",
    "InlineExecutor",
    "Lease",
    "LeaseSource",
    "ObservedTask",
    "ProcessExecutor",
    "RoutedTaskExecutor",
    "RoutingExecutor",
    "ServiceLocks",
    "SkippedTask",
    "TaskCount",
    "TaskCounts",
    "TaskExecutorABC",
    "TaskFailure",
    "ThreadExecutor",
    "build",
    "build_aio",
    "build_sequential",
    "build_sequential_aio",
    "checkpoint",
    "observer_provider",
]
