"""Building: what is missing is found, scheduled, run and told to an observer."""

from stardag.build.builder import build, build_aio, build_sequential, observer_provider
from stardag.build.observer import BuildInfo, BuildObserver, BuildStatus, ObservedTask
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
    "BuildExitStatus",
    "BuildInfo",
    "BuildObserver",
    "BuildStatus",
    "BuildSummary",
    "FailMode",
    "ObservedTask",
    "SkippedTask",
    "TaskCount",
    "TaskCounts",
    "TaskFailure",
    "build",
    "build_aio",
    "build_sequential",
    "observer_provider",
]
