"""Arguments and options that several commands have, each with its one meaning."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from stardag.cli.lists.suggestions import build_ids, task_ids

MOST = 2**31 - 1
"""The greatest number that the contract has room for, in most places."""
Limit = Annotated[int, Parameter(validator=Number(gte=1, lte=MOST))]
Json = Annotated[bool, Parameter(name="--json", negative="")]
Switch = Annotated[bool, Parameter(negative="")]
Repeated = Annotated[list[str] | None, Parameter(negative="")]
BuildRef = Annotated[
    str,
    Parameter(help="Id of a build, the beginning of one, or `latest`.", completer=build_ids),
]
TaskRef = Annotated[
    str,
    Parameter(help="Id of a task, the beginning of one, or `latest`.", completer=task_ids),
]
OrderBy = Annotated[str, Parameter(help="Field to order by, with ' desc' for the greatest first.")]
Name = Annotated[str | None, Parameter(help="Only those of exactly this name.")]


class BuildStatusName(Enum):
    """Statuses of builds, and their names in the contract."""

    RUNNING = "BUILD_STATUS_RUNNING"
    COMPLETED = "BUILD_STATUS_COMPLETED"
    FAILED = "BUILD_STATUS_FAILED"
    CANCELLED = "BUILD_STATUS_CANCELLED"
    EXITED_EARLY = "BUILD_STATUS_EXITED_EARLY"
    ABANDONED = "BUILD_STATUS_ABANDONED"


class TaskStatusName(Enum):
    """Statuses of tasks, and their names in the contract."""

    PENDING = "TASK_STATUS_PENDING"
    RUNNING = "TASK_STATUS_RUNNING"
    SUSPENDED = "TASK_STATUS_SUSPENDED"
    BLOCKED = "TASK_STATUS_BLOCKED"
    COMPLETED = "TASK_STATUS_COMPLETED"
    REUSED = "TASK_STATUS_REUSED"
    FAILED = "TASK_STATUS_FAILED"
    SKIPPED = "TASK_STATUS_SKIPPED"
    CANCELLED = "TASK_STATUS_CANCELLED"


_STATUS = Parameter(name="--status")
BuildStatuses = Annotated[tuple[BuildStatusName, ...], _STATUS]
TaskStatuses = Annotated[tuple[TaskStatusName, ...], _STATUS]
