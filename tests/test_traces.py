"""One trace a build, one span a task attempt, received by a real collector."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from support.collector import Collector
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
