"""What a watch prints where it can't draw."""

from __future__ import annotations

import pytest

from stardag.cli.builds.watching import print_lines
from stardag.v1.build_pb2 import Build, BuildStatus, TaskStatusCount
from stardag.v1.event_service_pb2 import WatchBuildResponse
from stardag.v1.task_pb2 import TaskFailure, TaskState, TaskStatus

RUNNING, FAILED = TaskStatus.TASK_STATUS_RUNNING, TaskStatus.TASK_STATUS_FAILED


def told(capsys: pytest.CaptureFixture[str], *responses: WatchBuildResponse) -> list[str]:
    print_lines(iter(responses))
    return capsys.readouterr().out.splitlines()


def fit(status: TaskStatus.ValueType, attempt: int = 1, **more: object) -> WatchBuildResponse:
    state = TaskState(task_id="5b69", name="fit", status=status, attempt=attempt, **more)  # pyright: ignore[reportArgumentType]
    return WatchBuildResponse(task_states=[state])


def test_a_task_is_told_when_its_status_or_its_attempt_is_another(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = told(
        capsys,
        fit(TaskStatus.TASK_STATUS_PENDING, attempt=0),
        fit(RUNNING),
        fit(RUNNING, progress=0.5),
        fit(RUNNING, attempt=2),
        fit(RUNNING, attempt=2, progress=0.5),
    )
    assert [line.split(maxsplit=1)[1] for line in lines] == [
        "RUNNING fit 5b69",
        "RUNNING fit 5b69 attempt 2",
    ]


def test_a_failure_is_told_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    failure = TaskFailure(kind="ValueError", message="no rows\n\x1b[2J")
    (line,) = told(capsys, fit(FAILED, duration_us=2_500_000, failure=failure))
    assert "FAILED fit 5b69 2.5 s: ValueError: no rows" in line
    assert "\x1b" not in line


def test_a_build_is_told_when_its_numbers_are_others(capsys: pytest.CaptureFixture[str]) -> None:
    def build(completed: int) -> WatchBuildResponse:
        status, count = TaskStatus.TASK_STATUS_COMPLETED, completed
        counts = [TaskStatusCount(status=status, count=count)]
        running = BuildStatus.BUILD_STATUS_RUNNING
        return WatchBuildResponse(build=Build(build_id="01", status=running, task_counts=counts))

    lines = told(capsys, build(1), build(1), build(2))
    assert lines == ["build 01 RUNNING 1 completed", "build 01 RUNNING 2 completed"]
