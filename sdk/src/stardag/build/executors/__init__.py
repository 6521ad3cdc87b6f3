"""Where attempts run: in this thread, in threads, in an event loop, in processes."""

from stardag.build.executors.inline import InlineExecutor
from stardag.build.executors.port import Executor
from stardag.build.executors.processes import ProcessExecutor
from stardag.build.executors.published import (
    HybridConcurrentTaskExecutor,
    RoutedTaskExecutor,
    TaskExecutorABC,
)
from stardag.build.executors.router import RoutingExecutor
from stardag.build.executors.threads import ThreadExecutor

__all__ = [
    "Executor",
    "HybridConcurrentTaskExecutor",
    "InlineExecutor",
    "ProcessExecutor",
    "RoutedTaskExecutor",
    "RoutingExecutor",
    "TaskExecutorABC",
    "ThreadExecutor",
]
