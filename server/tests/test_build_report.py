"""What a build's graph tells, however many tasks it has."""

from types import SimpleNamespace
from typing import Any
from uuid import UUID

from stardag.v1.task_pb2 import TASK_STATUS_FAILED, TaskFailure
from stardag_server.services.build_report import BuildReport

TASKS = 200


class SpeltId(UUID):
    """An id that counts how often one is spelt."""

    spelt = 0

    def __str__(self) -> str:
        """Return the text of the id."""
        type(self).spelt += 1
        return super().__str__()


def test_each_failure_costs_the_same_however_many_there_are() -> None:
    rows: list[Any] = [
        SimpleNamespace(
            ordinal=ordinal,
            task_uuid=SpeltId(int=ordinal),
            status=TASK_STATUS_FAILED,
            attempt=1,
            start_time=1,
            end_time=2,
            duration=1,
        )
        for ordinal in range(TASKS)
    ]
    failure = TaskFailure(kind="OSError", message="the disk is full").SerializeToString()
    report = BuildReport(rows, [], dict.fromkeys(range(TASKS), failure))
    [group] = report.failure_groups()
    assert group.failed_task_count == TASKS
    assert SpeltId.spelt <= 3 * TASKS
