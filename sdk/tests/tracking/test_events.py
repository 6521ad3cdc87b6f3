"""Events are written without the Protobuf runtime, and read by it."""

from __future__ import annotations

import time
import uuid
from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stardag.build.observer import BuildInfo
from stardag.tracking import events, wire
from stardag.tracking.program import Program
from stardag.tracking.redaction import MASK
from stardag.tracking.source import SourceRevision
from stardag.tracking.spool import frames
from stardag.v1 import event_pb2, event_service_pb2

from .tasks import Step

BUILD, TASK = uuid.uuid4().bytes, uuid.uuid4().bytes


def read(body: bytes) -> event_pb2.NewEvent:
    return event_pb2.NewEvent.FromString(frames.event(body))


@given(st.integers(0, 2**64 - 1))
def test_a_number_is_written_as_protobuf_writes_it(value: int) -> None:
    request = event_service_pb2.PublishEventsRequest(first_sequence=value)
    assert wire.number(2, value) == request.SerializeToString()


def test_an_event_by_a_clock_before_1970_is_of_its_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: -5_000_000)
    assert read(events.event(BUILD, TASK, events.TASK_STARTED, 1)).event_time_us == 0


@given(st.sampled_from(sorted(event_pb2.EventType.values())), st.integers(0, 2**32 - 1))
def test_an_event_reads_back_with_its_ids_type_attempt_and_times(kind: int, attempt: int) -> None:
    before = time.time_ns() // 1000, time.monotonic_ns() // 1000
    event = read(events.event(BUILD, TASK, kind, attempt))
    after = time.time_ns() // 1000, time.monotonic_ns() // 1000
    assert (event.build_id, event.task_id) == (BUILD, TASK)
    assert (event.type, event.attempt) == (kind, attempt)
    assert before[0] <= event.event_time_us <= after[0]
    assert before[1] <= event.monotonic_us <= after[1]
    assert event.WhichOneof("detail") is None
    assert frames.event(events.event(BUILD, TASK, kind, attempt)) is not None


def test_an_event_is_written_as_protobuf_writes_it() -> None:
    body = events.event(BUILD, TASK, events.TASK_FAILED, 3, events.wait([Step(1)], restarts=True))
    event = read(body)
    assert not event.HasField("failure")
    assert frames.body(event.SerializeToString()) == body


def test_an_event_about_a_build_has_no_task() -> None:
    assert read(events.event(BUILD, b"", events.BUILD_STARTED)).task_id == b""


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=50), st.integers(1, 2**40))
def test_concatenated_bodies_are_the_events_of_a_request(details: list[bytes], first: int) -> None:
    serialized = [
        event_pb2.NewEvent(build_id=BUILD, task_id=detail).SerializeToString() for detail in details
    ]
    batch = [frames.Frame(first + i, frames.body(one)) for i, one in enumerate(serialized)]
    request = event_service_pb2.PublishEventsRequest.FromString(frames.batch(batch))
    assert request.first_sequence == first
    assert [event.SerializeToString() for event in request.events] == serialized


@given(
    description=st.text(max_size=6000),
    labels=st.dictionaries(st.text(max_size=63), st.text(max_size=255), max_size=32),
)
def test_how_a_build_started_reads_back_within_the_limits(
    description: str, labels: dict[str, str]
) -> None:
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    info = BuildInfo(uuid.uuid4(), [Step(1), Step(2)], description, labels, trace_parent=parent)
    source = SourceRevision("c0ffee", "main", dirty=True)
    program = Program("me/1", "here", "CPython 3.11.7, Linux x86_64", "python " + "x" * 5000)
    detail = events.build_start(info, source, program)
    start = read(events.event(BUILD, b"", events.BUILD_STARTED, 0, detail)).build_start
    assert list(start.root_task_ids) == [str(Step(1).id), str(Step(2).id)]
    assert (start.name, start.client, start.host) == ("Step", "me/1", "here")
    assert (start.runtime, start.trace_parent) == (program.runtime, parent)
    assert start.command.startswith("python xxx")
    assert len(start.command) <= 4096
    assert (start.source.commit, start.source.ref, start.source.dirty) == ("c0ffee", "main", True)
    assert len(start.description.encode()) <= 4096
    assert len(start.labels) == len(labels)
    assert all(len(value) <= 255 for value in start.labels.values())


def test_a_label_is_recorded_unless_its_name_says_that_it_is_secret() -> None:
    labels = {"team": "search", "author": "eve", "api_key": "k-1", "DB_PASSWORD": "pw", "auth": "a"}
    info = BuildInfo(uuid.uuid4(), [Step(1)], "", labels)
    nobody = Program("me/1", "here", "", "")
    detail = events.build_start(info, SourceRevision("", "", dirty=False), nobody)
    start = read(events.event(BUILD, b"", events.BUILD_STARTED, 0, detail)).build_start
    assert (start.labels["team"], start.labels["author"]) == ("search", "eve")
    assert {start.labels[name] for name in ("api_key", "DB_PASSWORD", "auth")} == {MASK}


def test_a_definition_reads_back_and_hashes_to_the_task_id() -> None:
    task = Step(7, version="2", params={"name": "München"})
    event = read(
        events.event(
            BUILD, task.id.bytes, events.TASK_PENDING, 0, events.definition(task, [Step(1)])
        )
    )
    definition = event.definition
    assert definition.identity_json == task.identity_json()
    assert definition.params_json == ""
    assert (definition.namespace, definition.name, definition.version) == ("demo", "Step", "2")
    assert list(definition.dependency_ids) == [str(Step(1).id)]
    assert definition.output_uri == "file:///out/7.json"


def test_a_definition_whose_identity_shows_a_secret_is_withheld() -> None:
    task = Step(7, params={"password": "hunter2"})
    with pytest.raises(ValueError, match="SecretStr"):
        events.definition(task, [])


@pytest.mark.parametrize(("levels", "is_taken"), [(63, True), (64, False)])
def test_a_definition_nested_deeper_than_the_contract_allows_is_withheld(
    levels: int, is_taken: bool
) -> None:
    value: object = "[" * 100  # brackets in a text are none
    for _ in range(levels):
        value = [value]
    task = Step(7, params={"x": value})
    with nullcontext() if is_taken else pytest.raises(ValueError, match="more than 64 levels"):
        assert events.definition(task, [])


def test_a_masked_secret_does_not_keep_a_definition_back() -> None:
    task = Step(7, params={"password": "**********"})
    assert b"**********" in events.definition(task, [])


def test_a_definition_over_the_limit_of_the_contract_is_not_sent() -> None:
    task = Step(7, params={"text": "x" * (256 << 10)})
    with pytest.raises(ValueError, match="256 KiB"):
        events.definition(task, [])


class WeirdError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("error", "kind"),
    [(ValueError("no"), "ValueError"), (WeirdError(), f"{__name__}.WeirdError")],
)
def test_a_failure_has_kind_message_and_trace(error: Exception, kind: str) -> None:
    try:
        raise error
    except Exception as raised:
        detail = events.failure(raised, will_retry=True)
    failure = read(events.event(BUILD, TASK, events.TASK_FAILED, 1, detail)).failure
    assert failure.kind == kind
    assert failure.will_retry
    assert "test_a_failure_has_kind_message_and_trace" in failure.stack_trace
    assert failure.message


def test_long_failures_are_cut_in_the_middle_and_secrets_are_left_out() -> None:
    text = "begin " + "x" * 100_000 + " postgresql://me:hunter2@db/x end"
    failure = read(
        events.event(
            BUILD, TASK, events.TASK_FAILED, 1, events.failure(OSError(text), will_retry=False)
        )
    ).failure
    assert failure.message.startswith("begin ")
    assert failure.message.endswith("@db/x end")
    assert "hunter2" not in failure.message + failure.stack_trace
    assert len(failure.message.encode()) <= 4 << 10
    assert len(failure.stack_trace.encode()) <= 32 << 10


def test_a_text_that_utf8_can_not_say_does_not_stop_an_event() -> None:
    detail = events.build_end("caf\udce9")
    ended = read(events.event(BUILD, b"", events.BUILD_ENDED["failed"], 0, detail))
    assert ended.build_end.reason == "caf?"


def test_details_of_the_other_events_read_back() -> None:
    skipped = read(events.event(BUILD, TASK, events.TASK_SKIPPED, 0, events.skip(Step(3))))
    assert skipped.failure.caused_by_task_id == str(Step(3).id)
    assert skipped.failure.kind == "UpstreamFailed"
    waiting = events.wait([Step(1), Step(2)], restarts=True)
    suspended = read(events.event(BUILD, TASK, events.TASK_SUSPENDED, 1, waiting))
    assert list(suspended.wait.task_ids) == [str(Step(1).id), str(Step(2).id)]
    assert suspended.wait.restarts
    blocked = read(events.event(BUILD, TASK, events.TASK_BLOCKED, 1, events.block("lease")))
    assert blocked.wait.lease_name == "lease"
    lost = read(events.event(BUILD, b"", events.EVENTS_LOST, 0, events.events_lost(12)))
    assert lost.events_lost.count == 12


def test_the_types_are_those_of_the_contract() -> None:
    for name, value in event_pb2.EventType.items():
        constant = name.removeprefix("EVENT_TYPE_")
        if hasattr(events, constant):
            assert getattr(events, constant) == value
    ended = {f"EVENT_TYPE_BUILD_{status.upper()}": n for status, n in events.BUILD_ENDED.items()}
    assert ended == {name: event_pb2.EventType.Value(name) for name in ended}
