"""The rules of a task's state in a build."""

import pytest
from producer import Producer

from stardag.v1 import event_pb2 as pb
from stardag.v1 import task_pb2
from stardag_server.domain.event_check import Rejection
from stardag_server.domain.task_state import TaskState

STREAM = 1


def folded(*events: pb.NewEvent) -> TaskState:
    state = TaskState()
    for event in events:
        assert not isinstance(state.apply(event, STREAM), Rejection)
    return state


def test_a_life_from_pending_to_completed():
    make = Producer()
    state = TaskState()
    seen: list[int] = []
    for kind, attempt in (
        (pb.EVENT_TYPE_TASK_PENDING, 0),
        (pb.EVENT_TYPE_TASK_BLOCKED, 0),
        (pb.EVENT_TYPE_TASK_STARTED, 1),
        (pb.EVENT_TYPE_TASK_SUSPENDED, 1),
        (pb.EVENT_TYPE_TASK_RESUMED, 1),
        (pb.EVENT_TYPE_TASK_COMPLETED, 1),
    ):
        assert state.apply(make.event(kind, "t", attempt), STREAM) is True
        seen.append(state.status)
    assert seen == [
        task_pb2.TASK_STATUS_PENDING,
        task_pb2.TASK_STATUS_BLOCKED,
        task_pb2.TASK_STATUS_RUNNING,
        task_pb2.TASK_STATUS_SUSPENDED,
        task_pb2.TASK_STATUS_RUNNING,
        task_pb2.TASK_STATUS_COMPLETED,
    ]
    assert state.attempt == 1
    assert state.duration == 3_000


def test_the_duration_is_of_the_monotonic_clock_within_one_stream():
    make = Producer()
    start = make.event(pb.EVENT_TYPE_TASK_STARTED, "t", 1)
    end = make.event(pb.EVENT_TYPE_TASK_COMPLETED, "t", 1)
    end.event_time_us = start.event_time_us - 5_000_000
    assert folded(start, end).duration == 1_000

    elsewhere = TaskState()
    elsewhere.apply(start, STREAM)
    elsewhere.apply(end, STREAM + 1)
    assert elsewhere.duration == 0


@pytest.mark.parametrize(
    "end",
    [
        pb.EVENT_TYPE_TASK_COMPLETED,
        pb.EVENT_TYPE_TASK_FAILED,
        pb.EVENT_TYPE_TASK_SKIPPED,
        pb.EVENT_TYPE_TASK_CANCELLED,
    ],
)
@pytest.mark.parametrize(
    "late",
    [
        pb.EVENT_TYPE_TASK_STARTED,
        pb.EVENT_TYPE_TASK_PROGRESSED,
        pb.EVENT_TYPE_TASK_COMPLETED,
        pb.EVENT_TYPE_TASK_FAILED,
    ],
)
def test_an_attempt_that_has_ended_takes_nothing_more(end: int, late: int):
    make = Producer()
    state = folded(make.event(pb.EVENT_TYPE_TASK_STARTED, "t", 1), make.event(end, "t", 1))
    before = state.status
    outcome = state.apply(make.event(late, "t", 1), STREAM)
    assert isinstance(outcome, Rejection)
    assert outcome.reason == pb.EVENT_REJECTION_REASON_INVALID_TRANSITION
    assert state.status == before


def test_a_later_attempt_moves_a_failed_task_on_and_forgets_the_failure():
    make = Producer()
    state = folded(
        make.event(pb.EVENT_TYPE_TASK_STARTED, "t", 1),
        make.event(pb.EVENT_TYPE_TASK_FAILED, "t", 1, failure=task_pb2.TaskFailure(kind="E")),
    )
    assert state.failure is not None
    assert state.apply(make.event(pb.EVENT_TYPE_TASK_STARTED, "t", 2), STREAM) is True
    assert (state.status, state.attempt, state.failure, state.end_time, state.duration) == (
        task_pb2.TASK_STATUS_RUNNING,
        2,
        None,
        0,
        0,
    )


def test_an_earlier_attempt_that_arrives_late_changes_nothing_unless_it_completed():
    make = Producer()
    running = make.event(pb.EVENT_TYPE_TASK_STARTED, "t", 2)
    state = folded(running)
    for kind in (pb.EVENT_TYPE_TASK_STARTED, pb.EVENT_TYPE_TASK_FAILED):
        assert state.apply(make.event(kind, "t", 1), STREAM) is False
    assert (state.status, state.attempt) == (task_pb2.TASK_STATUS_RUNNING, 2)
    assert state.apply(make.event(pb.EVENT_TYPE_TASK_COMPLETED, "t", 1), STREAM) is True
    assert (state.status, state.attempt) == (task_pb2.TASK_STATUS_COMPLETED, 1)


def test_nothing_but_a_later_completion_moves_a_completed_task():
    make = Producer()
    state = folded(make.event(pb.EVENT_TYPE_TASK_COMPLETED, "t", 1))
    for kind in (
        pb.EVENT_TYPE_TASK_STARTED,
        pb.EVENT_TYPE_TASK_FAILED,
        pb.EVENT_TYPE_TASK_CANCELLED,
        pb.EVENT_TYPE_TASK_PENDING,
    ):
        assert state.apply(make.event(kind, "t", 2), STREAM) is False
    assert (state.status, state.attempt) == (task_pb2.TASK_STATUS_COMPLETED, 1)
    assert state.apply(make.event(pb.EVENT_TYPE_TASK_COMPLETED, "t", 2), STREAM) is True
    assert (state.status, state.attempt) == (task_pb2.TASK_STATUS_COMPLETED, 2)


def test_a_task_may_be_declared_again_at_any_time():
    make = Producer()
    state = folded(make.event(pb.EVENT_TYPE_TASK_REUSED, "t"))
    assert state.apply(make.pending("t"), STREAM) is False
    assert state.status == task_pb2.TASK_STATUS_REUSED


def test_progress_and_output_are_kept():
    make = Producer()
    state = folded(
        make.event(pb.EVENT_TYPE_TASK_STARTED, "t", 1),
        make.event(
            pb.EVENT_TYPE_TASK_PROGRESSED, "t", 1, progress=task_pb2.TaskProgress(fraction=0.5)
        ),
        make.event(pb.EVENT_TYPE_TASK_COMPLETED, "t", 1, output=task_pb2.TaskOutput(uri="s3://x")),
    )
    assert (state.progress, state.output_uri) == (0.5, "s3://x")
