"""Building: what is missing is found, scheduled, run and told to an observer."""

from stardag.build.builder import build, build_aio, build_sequential, observer_provider
from stardag.build.observer import BuildInfo, BuildObserver, BuildStatus, ObservedTask
from stardag.build.summary import (
    BuildSummary,
    FailMode,
    SkippedTask,
    TaskCounts,
    TaskFailure,
)

__all__ = [
    "BuildInfo",
    "BuildObserver",
    "BuildStatus",
    "BuildSummary",
    "FailMode",
    "ObservedTask",
    "SkippedTask",
    "TaskCounts",
    "TaskFailure",
    "build",
    "build_aio",
    "build_sequential",
    "observer_provider",
]
