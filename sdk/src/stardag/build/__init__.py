"""Building: what is missing is found, scheduled, run and told to an observer."""

from stardag.build.attempt import Attempt, checkpoint
from stardag.build.builder import (
    BuildOptions,
    build,
    build_aio,
    build_sequential,
    build_sequential_aio,
    observer_provider,
)
from stardag.build.executors import (
    Executor,
    InlineExecutor,
    ProcessExecutor,
    RoutingExecutor,
    ThreadExecutor,
)
from stardag.build.file_locks import FileLocks
from stardag.build.locks import Lease, LeaseSource
from stardag.build.observer import BuildInfo, BuildObserver, BuildStatus, ObservedTask
from stardag.build.published import (
    HybridConcurrentTaskExecutor,
    RoutedTaskExecutor,
    TaskExecutorABC,
)
from stardag.build.service_locks import ServiceLocks
from stardag.build.summary import (
    BuildExitStatus,
    BuildSummary,
    FailMode,
    SkippedTask,
    TaskCounts,
    TaskFailure,
)

TaskCount = TaskCounts
"""The name in the 0.1 series."""

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
