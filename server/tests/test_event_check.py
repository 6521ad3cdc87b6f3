"""What an event must obey, whatever the state."""

from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st
from producer import Producer, definition, identity_json, task_id

from stardag.v1 import event_pb2 as pb
from stardag.v1.task_pb2 import TaskDefinition, TaskFailure, TaskOutput, TaskProgress, TaskWait
from stardag_server.domain.event_check import TASK_NAMESPACE, check, task_id_of


@given(st.text())
def test_a_task_id_is_the_uuid5_of_the_identity_json(text: str):
    assert UUID(bytes=task_id_of(text)) == uuid5(TASK_NAMESPACE, text)


def test_a_known_task_id():
    text = '{"__name":"mixed","__namespace":"","a":1,"b":2,"version":""}'
    assert UUID(bytes=task_id_of(text)) == UUID("14dd77c0-76ac-589d-848d-d113b374a793")


def pending(**fields: Any) -> pb.NewEvent:
    event = Producer().pending("t")
    event.definition.MergeFrom(TaskDefinition(**fields))
    return event


def failed(**fields: Any) -> pb.NewEvent:
    return Producer().event(pb.EVENT_TYPE_TASK_FAILED, "t", 1, failure=TaskFailure(**fields))


def started_build(**fields: Any) -> pb.NewEvent:
    return Producer().started(**fields)


@pytest.mark.parametrize(
    "event",
    [
        pending(),
        pending(task_id=str(task_id("t"))),
        pending(namespace="n" * 255, version="v" * 64, output_uri="u" * 2_048),
        pending(dependency_ids=[str(uuid4()) for _ in range(10_000)]),
        failed(kind="k" * 255, message="m" * 4_096, stack_trace="s" * 32_768),
        failed(message="\x00"),
        pending(params_json='{"a":' * 64 + "1" + "}" * 64),
        started_build(labels={"k" * 63: "v" * 255}, description="d" * 4_096),
        Producer().event(123, "t"),
        Producer().event(pb.EVENT_TYPE_TASK_STARTED, "t", 1, failure=TaskFailure(kind="k" * 9_999)),
    ],
)
def test_what_is_at_the_limit_or_does_not_matter_is_taken(event: pb.NewEvent):
    assert check(event) is None


@pytest.mark.parametrize(
    "event",
    [
        pb.NewEvent(build_id=b"short", type=pb.EVENT_TYPE_BUILD_COMPLETED),
        pb.NewEvent(build_id=bytes(16), type=pb.EVENT_TYPE_UNSPECIFIED),
        pb.NewEvent(build_id=bytes(16), type=pb.EVENT_TYPE_BUILD_CANCEL_REQUESTED),
        pb.NewEvent(build_id=bytes(16), task_id=b"short", type=pb.EventType.ValueType(999)),
        pb.NewEvent(build_id=bytes(16), type=pb.EVENT_TYPE_TASK_COMPLETED),
        pb.NewEvent(build_id=bytes(16), type=pb.EVENT_TYPE_BUILD_STARTED, event_time_us=-1),
        pb.NewEvent(build_id=bytes(16), type=pb.EVENT_TYPE_BUILD_STARTED, event_time_us=1 << 62),
        pb.NewEvent(build_id=bytes(16), type=pb.EVENT_TYPE_BUILD_STARTED, monotonic_us=-1),
        Producer().event(pb.EVENT_TYPE_TASK_STARTED, "t", attempt=0),
        pending(name="n" * 256),
        pending(version="v" * 65),
        pending(output_uri="u" * 2_049),
        pending(params_json="\U0001f600" * 65_537),
        pending(params_json='{"a":"\x00"}'),
        pending(params_json='{"a":' * 65 + "1" + "}" * 65),
        pending(dependency_ids=["nonsense"]),
        pending(dependency_ids=[str(uuid4()).upper()]),
        pending(dependency_ids=[str(uuid4())] * 10_001),
        pending(task_id=str(uuid4())),
        failed(kind="k" * 256),
        failed(message="m" * 4_097),
        failed(caused_by_task_id="x"),
        started_build(root_task_ids=["x"]),
        started_build(labels={str(number): "" for number in range(33)}),
        started_build(labels={"k" * 64: ""}),
        Producer().event(
            pb.EVENT_TYPE_TASK_PROGRESSED, "t", 1, progress=TaskProgress(fraction=float("nan"))
        ),
        Producer().event(
            pb.EVENT_TYPE_TASK_PROGRESSED, "t", 1, progress=TaskProgress(fraction=1.01)
        ),
        Producer().event(pb.EVENT_TYPE_TASK_SUSPENDED, "t", 1, wait=TaskWait(task_ids=["x"])),
        Producer().event(
            pb.EVENT_TYPE_TASK_COMPLETED, "t", 1, output=TaskOutput(code_fingerprint="f" * 65)
        ),
        Producer().event(pb.EVENT_TYPE_EVENTS_LOST, events_lost=pb.EventsLost(count=-1)),
    ],
)
def test_what_breaks_a_rule_is_rejected(event: pb.NewEvent):
    rejection = check(event)
    assert rejection
    assert rejection.reason == pb.EVENT_REJECTION_REASON_EVENT_INVALID
    assert rejection.message


def test_a_definition_that_hashes_to_another_id_is_rejected():
    event = Producer().event(pb.EVENT_TYPE_TASK_PENDING, "t", definition=definition("other"))
    rejection = check(event)
    assert rejection
    assert rejection.reason == pb.EVENT_REJECTION_REASON_TASK_ID_MISMATCH
    assert str(task_id("other")) in rejection.message


@given(
    st.builds(
        pb.NewEvent,
        build_id=st.binary(max_size=17),
        task_id=st.binary(max_size=17),
        type=st.integers(-(2**31), 2**31 - 1),
        attempt=st.integers(0, 2**32 - 1),
        event_time_us=st.integers(-(2**63), 2**63 - 1),
        monotonic_us=st.integers(-(2**63), 2**63 - 1),
        definition=st.builds(TaskDefinition, identity_json=st.just(identity_json("t"))),
    )
)
def test_no_event_is_too_strange_to_be_judged(event: pb.NewEvent):
    check(event)
