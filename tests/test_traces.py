"""One trace a build, one span a task attempt, received by a real collector."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from support.collector import Collector, HttpCollector
from support.waiting import until

if TYPE_CHECKING:
    from .conftest import Workplace


@pytest.fixture
def collector(workplace: Workplace) -> Iterator[Collector]:
    collector = Collector()
    workplace.extra["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.endpoint
    workplace.extra["OTEL_EXPORTER_OTLP_PROTOCOL"] = "grpc"
    yield collector
    workplace.end_senders()
    collector.close()


def span_id(build: UUID, *parts: bytes) -> bytes:
    return blake2b(b"".join((build.bytes, *parts)), digest_size=8).digest()


def attributes(span: Any) -> dict[str, str]:
    return {a.key: a.value.string_value for a in span.attributes}


def test_spans_have_ids_that_anyone_can_compute(workplace: Workplace, collector: Collector) -> None:
    built = workplace.build("small")
    build_id = UUID(built.id)
    until(lambda: len(collector.spans) == 5, "five spans")
    assert {span.trace_id for span in collector.spans} == {build_id.bytes}
    spans = {span.span_id: span for span in collector.spans}
    root = spans[span_id(build_id)]
    tasks = workplace.read("builds", "show", built.id)["tasks"]
    first_attempt = (1).to_bytes(4, "big")
    by_task = {
        task["task_id"]: spans[span_id(build_id, UUID(task["task_id"]).bytes, first_attempt)]
        for task in tasks
    }
    assert {span.parent_span_id for span in by_task.values()} == {root.span_id}
    total = next(task["task_id"] for task in tasks if task["name"] == "total")
    inputs = {span.span_id for task, span in by_task.items() if task != total}
    assert {link.span_id for link in by_task[total].links} == inputs
    assert attributes(by_task[total])["cicd.pipeline.task.run.id"] == total


def test_a_failed_attempt_is_an_error_with_its_exception(
    workplace: Workplace, collector: Collector
) -> None:
    workplace.build("broken")
    until(lambda: len(collector.spans) == 5, "five spans")  # `after` never ran
    failed = next(
        span
        for span in collector.spans
        if attributes(span).get("cicd.pipeline.task.name", "").endswith("failing")
    )
    assert failed.status.code == 2
    exception = next(event for event in failed.events if event.name == "exception")
    said = {a.key: a.value.string_value for a in exception.attributes}
    assert said["exception.type"] == "ValueError"


def test_an_empty_variable_is_one_that_is_not_set(workplace: Workplace) -> None:
    collector = HttpCollector()
    workplace.extra["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.endpoint
    for name in ("EXPORTER_OTLP_PROTOCOL", "SERVICE_NAME", "TRACES_EXPORTER", "TRACES_SAMPLER"):
        workplace.extra[f"OTEL_{name}"] = ""
    workplace.build("small")
    until(lambda: len(collector.spans) == 5, "five spans")
    workplace.end_senders()
    collector.close()
    assert {resource["service.name"] for resource in collector.resources} == {"stardag"}


def test_spans_go_over_http_with_the_resource_that_is_named(workplace: Workplace) -> None:
    collector = HttpCollector()
    workplace.extra["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.endpoint
    workplace.extra["OTEL_SERVICE_NAME"] = "nightly"
    workplace.extra["OTEL_RESOURCE_ATTRIBUTES"] = "deployment.environment.name=test"
    built = workplace.build("small")
    until(lambda: len(collector.spans) == 5, "five spans")
    workplace.end_senders()
    collector.close()
    assert {span.trace_id for span in collector.spans} == {UUID(built.id).bytes}
    for resource in collector.resources:
        assert resource["service.name"] == "nightly"
        assert resource["deployment.environment.name"] == "test"


def test_a_reused_input_is_linked_to_what_made_it_in_an_earlier_build(
    workplace: Workplace, collector: Collector
) -> None:
    first = UUID(workplace.build("small").id)
    (made,) = [
        t for t in workplace.read("builds", "show", str(first))["tasks"] if t["name"] == "total"
    ]
    second = UUID(workplace.build("onward").id)
    until(lambda: len(collector.spans) == 7, "the spans of both builds")
    (onward,) = [s for s in collector.spans if s.trace_id == second.bytes and s.parent_span_id]
    (link,) = onward.links
    assert link.trace_id == first.bytes
    assert link.span_id == span_id(first, UUID(made["task_id"]).bytes, (1).to_bytes(4, "big"))


def test_spans_of_user_code_are_below_those_of_their_attempts(
    workplace: Workplace, collector: Collector
) -> None:
    for name in ("instrumented", "instrumented-processes"):
        collector.spans.clear()
        built = UUID(workplace.build(name).id)
        until(lambda: len(collector.spans) == 5, "spans of the build and of user code")
        by_id = {span.span_id: span for span in collector.spans}
        assert {span.trace_id for span in collector.spans} == {built.bytes}
        inner = [span for span in collector.spans if span.name.startswith("user:")]
        parents = {span.name: by_id[span.parent_span_id].name for span in inner}
        assert parents == {"user:plain": "plain", "user:awaited": "in_loop"}
        workplace.forget_outputs()


def test_a_build_that_is_not_sampled_sends_nothing(
    workplace: Workplace, collector: Collector
) -> None:
    workplace.extra["OTEL_TRACES_SAMPLER"] = "always_off"
    workplace.build("instrumented")
    workplace.extra["OTEL_TRACES_SAMPLER"] = "always_on"
    sampled = workplace.build("small")
    until(lambda: len(collector.spans) == 5, "five spans")
    assert {span.trace_id for span in collector.spans} == {UUID(sampled.id).bytes}


def test_the_way_to_the_trace_is_shown(workplace: Workplace) -> None:
    built = workplace.build("small")
    assert UUID(built.id).hex in workplace.stardag("builds", "show", built.id).stdout
    workplace.extra["STARDAG_TRACE_URL"] = "http://jaeger:16686/trace/{trace_id}"
    shown = workplace.stardag("builds", "show", built.id).stdout
    assert f"http://jaeger:16686/trace/{UUID(built.id).hex}" in shown
