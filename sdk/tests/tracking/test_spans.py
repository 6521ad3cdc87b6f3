"""Events become the spans that the CI/CD conventions describe."""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.semconv._incubating.attributes.cicd_attributes import CicdPipelineResultValues

from stardag import TaskTimeoutError
from stardag.telemetry import ids
from stardag.tracking.traces.spans import Span, SpanFold, SpanLink, link_inputs
from stardag.v1 import event_pb2, task_pb2

BUILD = uuid.UUID("0190163d-8694-739b-aea5-966c26f8ad91")
ONE, TWO, THREE = (uuid.UUID(int=number) for number in (1, 2, 3))
START_US, TICK_US = 1_700_000_000_000_000, 5_000


def input_of(task: uuid.UUID) -> dict[str, str]:
    """Return the attributes of a link to what made a task."""
    return {"stardag.link": "input", "cicd.pipeline.task.run.id": str(task)}


class Recorder:
    """Makes events one millisecond apart, and folds them."""

    def __init__(self, *, sampled: bool = True) -> None:
        self.fold = SpanFold(lambda _trace, parent: sampled if parent is None else parent)
        self.tick = 0
        self.slept_us = 0
        """How far the wall clock has gone on while the monotonic one stood still."""

    def add(
        self, name: str, task: uuid.UUID | None = None, attempt: int = 0, **detail: Any
    ) -> list[Span]:
        self.tick += 1
        event = event_pb2.NewEvent(
            build_id=BUILD.bytes,
            task_id=task.bytes if task else b"",
            type=event_pb2.EventType.Value(f"EVENT_TYPE_{name}"),
            attempt=attempt,
            event_time_us=START_US + self.slept_us + self.tick * 1000,
            monotonic_us=TICK_US + self.tick * 1000,
            **detail,
        )
        return self.fold.add(event)

    def start(self, trace_parent: str = "") -> None:
        start = event_pb2.BuildStart(name="Root", root_task_ids=[str(ONE)], host="here")
        start.trace_parent = trace_parent
        start.source.commit, start.source.ref = "c0ffee", "main"
        start.labels["team"] = "x"
        assert self.add("BUILD_STARTED", build_start=start) == []

    def pend(self, task: uuid.UUID, *dependencies: uuid.UUID, name: str = "PENDING") -> None:
        definition = task_pb2.TaskDefinition(
            namespace="a.b",
            name="Train",
            version="2",
            output_uri="file:///x",
            dependency_ids=[str(one) for one in dependencies],
        )
        assert self.add(f"TASK_{name}", task, definition=definition) == []


def test_ids_are_hashes_of_the_bytes_that_are_documented() -> None:
    digest = hashlib.blake2b(BUILD.bytes + ONE.bytes + b"\0\0\0\2", digest_size=8).digest()
    assert ids.attempt_span_id(BUILD, ONE, 2) == int.from_bytes(digest, "big")
    digest = hashlib.blake2b(BUILD.bytes, digest_size=8).digest()
    assert ids.root_span_id(BUILD) == int.from_bytes(digest, "big")
    assert f"{ids.trace_id(BUILD):032x}" == BUILD.hex


def test_ids_never_change() -> None:
    assert f"{ids.root_span_id(BUILD):016x}" == "33417f8661e5adae"
    assert f"{ids.attempt_span_id(BUILD, ONE, 1):016x}" == "df5f76b7b87a4ca0"


def test_a_build_is_a_pipeline_run_and_an_attempt_a_task_run() -> None:
    recorder = Recorder()
    recorder.start()
    recorder.pend(ONE)
    recorder.add("TASK_STARTED", ONE, 1)
    (attempt,) = recorder.add("TASK_COMPLETED", ONE, 1)
    (root,) = recorder.add("BUILD_COMPLETED")
    assert (root.name, root.parent_id, root.trace_id) == ("BUILD Root", None, BUILD.int)
    assert root.attributes == {
        "cicd.pipeline.name": "Root",
        "cicd.pipeline.run.id": str(BUILD),
        "cicd.pipeline.action.name": "BUILD",
        "cicd.pipeline.result": "success",
        "stardag.client": "",
        "stardag.root_tasks": [str(ONE)],
        "stardag.label.team": "x",
        "stardag.status": "completed",
        "vcs.ref.head.revision": "c0ffee",
        "vcs.ref.head.name": "main",
        "host.name": "here",
    }
    assert (attempt.name, attempt.parent_id) == ("a.b.Train", root.span_id)
    assert attempt.span_id == ids.attempt_span_id(BUILD, ONE, 1)
    assert attempt.attributes == {
        "cicd.pipeline.name": "Root",
        "cicd.pipeline.run.id": str(BUILD),
        "cicd.pipeline.task.name": "a.b.Train",
        "cicd.pipeline.task.run.id": str(ONE),
        "cicd.pipeline.task.run.result": "success",
        "stardag.attempt": 1,
        "stardag.namespace": "a.b",
        "stardag.version": "2",
        "stardag.status": "completed",
        "stardag.output.uri": "file:///x",
    }
    assert attempt.error is None
    assert attempt.end_ns - attempt.start_ns == 1_000_000
    assert root.start_ns <= attempt.start_ns <= attempt.end_ns <= root.end_ns
    assert root.start_ns == (START_US + 1000) * 1000


def test_a_build_after_a_sleep_of_the_machine_starts_when_it_started() -> None:
    recorder = Recorder()
    recorder.start()
    recorder.slept_us = 3_600_000_000
    (during,) = recorder.add("BUILD_COMPLETED")
    recorder.start()
    (after,) = recorder.add("BUILD_COMPLETED")
    assert during.end_ns - during.start_ns == after.end_ns - after.start_ns == 1_000_000
    assert after.start_ns == (START_US + recorder.slept_us + 3000) * 1000


def test_an_attempt_links_to_what_made_its_inputs_and_names_what_was_reused() -> None:
    recorder = Recorder()
    recorder.start()
    recorder.pend(ONE)
    recorder.pend(TWO, name="REUSED")
    recorder.pend(THREE, ONE, TWO)
    for attempt in (1, 2):
        recorder.add("TASK_STARTED", ONE, attempt)
        name = "TASK_FAILED" if attempt == 1 else "TASK_COMPLETED"
        recorder.add(name, ONE, attempt)
    recorder.add("TASK_STARTED", THREE, 1)
    (span,) = recorder.add("TASK_COMPLETED", THREE, 1)
    made_one = ids.attempt_span_id(BUILD, ONE, 2)
    assert span.links == [SpanLink(BUILD.int, made_one, input_of(ONE))]
    assert span.attributes["stardag.reused_inputs"] == [str(TWO)]
    earlier_build = uuid.uuid4()
    link_inputs(span, {str(TWO): (earlier_build, 3), str(ONE): (earlier_build, 1)})
    made_two = ids.attempt_span_id(earlier_build, TWO, 3)
    assert span.links[1:] == [SpanLink(earlier_build.int, made_two, input_of(TWO))]


def test_a_retry_is_a_sibling_that_links_to_the_attempt_before() -> None:
    recorder = Recorder()
    recorder.start()
    recorder.add("TASK_STARTED", ONE, 1)
    (first,) = recorder.add("TASK_FAILED", ONE, 1)
    recorder.add("TASK_STARTED", ONE, 2)
    (second,) = recorder.add("TASK_COMPLETED", ONE, 2)
    assert first.parent_id == second.parent_id == ids.root_span_id(BUILD)
    assert first.links == []
    assert second.links == [SpanLink(BUILD.int, first.span_id, {"stardag.link": "earlier_attempt"})]


def test_a_build_that_was_started_within_a_span_is_linked_to_it() -> None:
    recorder = Recorder(sampled=False)
    recorder.start("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    (root,) = recorder.add("BUILD_COMPLETED")
    assert root.parent_id is None
    assert root.links == [
        SpanLink(
            0x4BF92F3577B34DA6A3CE929D0E0E4736,
            0x00F067AA0BA902B7,
            {"stardag.link": "started_within"},
        )
    ]


def test_a_build_that_is_not_sampled_has_no_spans() -> None:
    recorder = Recorder(sampled=False)
    recorder.start()
    recorder.add("TASK_STARTED", ONE, 1)
    assert recorder.add("TASK_COMPLETED", ONE, 1) == []
    assert recorder.add("BUILD_COMPLETED") == []


def test_dynamic_dependencies_are_linked_too_and_the_wait_is_an_event() -> None:
    recorder = Recorder()
    recorder.start()
    recorder.pend(ONE)
    recorder.add("TASK_STARTED", ONE, 1)
    recorder.add("TASK_SUSPENDED", ONE, 1, wait=task_pb2.TaskWait(task_ids=[str(TWO)]))
    recorder.add("TASK_STARTED", TWO, 1)
    recorder.add("TASK_COMPLETED", TWO, 1)
    recorder.add("TASK_RESUMED", ONE, 1)
    (span,) = recorder.add("TASK_COMPLETED", ONE, 1)
    assert [link.attributes for link in span.links] == [input_of(TWO)]
    assert [event.name for event in span.events] == ["suspended", "resumed"]


def test_a_failure_is_an_error_with_an_exception_event() -> None:
    recorder = Recorder()
    recorder.start()
    recorder.add("TASK_STARTED", ONE, 1)
    failure = task_pb2.TaskFailure(kind="ValueError", message="no", stack_trace="Traceback ...")
    (span,) = recorder.add("TASK_FAILED", ONE, 1, failure=failure)
    assert span.error == "no"
    assert span.attributes["error.type"] == "ValueError"
    assert span.attributes["cicd.pipeline.task.run.result"] == "failure"
    (event,) = span.events
    assert event.name == "exception"
    assert event.attributes == {
        "exception.type": "ValueError",
        "exception.message": "no",
        "exception.stacktrace": "Traceback ...",
    }
    (root,) = recorder.add("BUILD_FAILED", build_end=event_pb2.BuildEnd(reason="1 task failed"))
    assert root.error == "1 task failed"
    assert root.attributes["cicd.pipeline.result"] == "failure"


def test_an_attempt_that_took_too_long_is_a_timeout() -> None:
    recorder = Recorder()
    recorder.start()
    recorder.add("TASK_STARTED", ONE, 1)
    kind = f"{TaskTimeoutError.__module__}.{TaskTimeoutError.__qualname__}"
    failure = task_pb2.TaskFailure(kind=kind, message="ran for more than 1 s")
    (span,) = recorder.add("TASK_FAILED", ONE, 1, failure=failure)
    assert span.attributes["cicd.pipeline.task.run.result"] == "timeout"
    assert span.attributes["error.type"] == kind
    assert span.error == "ran for more than 1 s"


def test_a_killed_build_ends_its_spans_as_errors() -> None:
    recorder = Recorder()
    recorder.start()
    recorder.add("TASK_STARTED", ONE, 1)
    spans = recorder.add("PRODUCER_DIED", build_end=event_pb2.BuildEnd(reason="killed"))
    assert [span.parent_id is None for span in spans] == [False, True]
    assert [span.error for span in spans] == ["killed", "killed"]
    assert spans[0].attributes["cicd.pipeline.task.run.result"] == "error"
    assert spans[1].attributes["cicd.pipeline.result"] == "error"


def test_an_attempt_in_another_process_than_its_build_is_a_child_of_the_same_root() -> None:
    recorder = Recorder()
    recorder.add("TASK_STARTED", ONE, 1)
    (span,) = recorder.add("TASK_COMPLETED", ONE, 1)
    assert span.parent_id == ids.root_span_id(BUILD)
    assert recorder.fold.end() == []
    recorder.add("TASK_STARTED", TWO, 1)
    (cut,) = recorder.fold.end()
    assert cut.error is not None


NAMES = ["STARTED", "SUSPENDED", "RESUMED", "COMPLETED", "FAILED", "CANCELLED", "PENDING", "REUSED"]
STEP = st.tuples(st.sampled_from(NAMES), st.sampled_from([ONE, TWO, THREE]), st.integers(1, 2))


@given(steps=st.lists(STEP, max_size=40), started=st.booleans())
def test_any_sequence_of_events_ends_each_started_attempt_once(
    steps: list[tuple[str, uuid.UUID, int]], started: bool
) -> None:
    recorder = Recorder()
    if started:
        recorder.start()
    spans = [
        span
        for name, task, attempt in steps
        for span in recorder.add(f"TASK_{name}", task, attempt)
    ]
    spans += recorder.fold.end()
    attempts = [span for span in spans if span.parent_id is not None]
    starts = {(task, attempt) for name, task, attempt in steps if name == "STARTED"}
    assert {span.span_id for span in attempts} == {
        ids.attempt_span_id(BUILD, task, attempt) for task, attempt in starts
    }
    assert len(spans) - len(attempts) == started
    assert all(span.start_ns <= span.end_ns for span in spans)


def test_a_name_is_never_missing() -> None:
    recorder = Recorder()
    recorder.add("TASK_STARTED", ONE, 1)
    (span,) = recorder.add("TASK_COMPLETED", ONE, 1)
    assert span.name == str(ONE)
    with pytest.raises(KeyError):
        _ = span.attributes["stardag.namespace"]


def test_names_are_those_that_the_conventions_publish() -> None:
    recorder = Recorder()
    recorder.start()
    recorder.pend(ONE)
    recorder.add("TASK_STARTED", ONE, 1)
    failure = task_pb2.TaskFailure(kind="ValueError", message="no", stack_trace="Traceback ...")
    (attempt,) = recorder.add("TASK_FAILED", ONE, 1, failure=failure)
    (root,) = recorder.add("BUILD_FAILED", build_end=event_pb2.BuildEnd(reason="1 task failed"))
    names = {*attempt.attributes, *root.attributes}
    names |= {name for event in attempt.events for name in event.attributes}
    ours = {name for name in names if name.startswith("stardag.")}
    assert names - ours <= published_names()
    results = {
        str(attempt.attributes["cicd.pipeline.task.run.result"]),
        str(root.attributes["cicd.pipeline.result"]),
    }
    assert results <= {value.value for value in CicdPipelineResultValues}


def published_names() -> set[str]:
    """Return all names of attributes that OpenTelemetry's conventions have, stable ones or not."""
    names: set[str] = set()
    for package in (
        "opentelemetry.semconv._incubating.attributes",
        "opentelemetry.semconv.attributes",
    ):
        folder: Any = importlib.import_module(package)
        for module in pkgutil.iter_modules(folder.__path__, f"{package}."):
            content = vars(importlib.import_module(module.name))
            names.update(str(value) for name, value in content.items() if name.isupper())
    return names
