"""User code that runs in a task finds the task's span as its parent, wherever it runs."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
import worker_tasks as tasks
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

import stardag as sd
from stardag.build import BuildInfo, Executor
from stardag.telemetry import ids
from stardag.telemetry.current import traces_wanted
from stardag.telemetry.trace_parent import TraceParent, parse_trace_parent
from stardag.testing import BuildRecord, builds_on_record

EXECUTORS: dict[str, Callable[[], Executor | None]] = {
    "inline": sd.InlineExecutor,
    "threads": lambda: sd.ThreadExecutor(2),
    "event loop": lambda: None,
    "processes": lambda: sd.ProcessExecutor(1),
}
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:1")  # builds are on record, and go nowhere


def place_of(task: sd.BaseTask, build: UUID, *, sampled: bool = True) -> TraceParent:
    return TraceParent(build.int, ids.attempt_span_id(build, task.id, 1), sampled)


def built(task: sd.BaseTask, kind: str = "inline") -> BuildInfo:
    with builds_on_record() as record:
        sd.build(task, executor=EXECUTORS[kind]()).raise_for_status()
    return started(record)


def started(record: BuildRecord) -> BuildInfo:
    (info,) = record.tasks("build_started")
    return info


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("kind", EXECUTORS)
def test_the_current_span_in_a_task_is_its_attempt(kind: str) -> None:
    task = tasks.looks_around_async() if kind == "event loop" else tasks.looks_around()
    place = str(place_of(task, built(task, kind).id))
    seen = task.load()
    assert seen["current"] == place
    assert seen["carrier"] == {"traceparent": place}
    assert seen["in_thread"] == place
    # of threads in one process, which share their environment, none can have its own
    assert seen["variable"] == (place if kind == "processes" else None)


@pytest.mark.usefixtures("traced")
def test_a_generator_has_its_span_after_each_yield_and_leaves_none_behind() -> None:
    task = tasks.LooksAroundTwice()
    build = built(task).id
    assert task.load() == [str(place_of(task, build))] * 2
    assert not trace.get_current_span().get_span_context().is_valid


@pytest.mark.usefixtures("traced")
def test_a_trace_that_is_not_sampled_says_so_to_user_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    task = tasks.looks_around()
    build = built(task).id
    assert task.load()["current"] == str(place_of(task, build, sampled=False))


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, True),
        ({"OTEL_TRACES_EXPORTER": ""}, True),
        ({"OTEL_TRACES_EXPORTER": "console, otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_TRACES_EXPORTER": "console"}, False),
        ({"OTEL_SDK_DISABLED": "True"}, False),
        ({"OTEL_SDK_DISABLED": "no"}, True),
        ({ENDPOINT: ""}, False),
        ({ENDPOINT: "", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1"}, True),
    ],
)
def test_opentelemetrys_variables_tell_if_builds_are_traced(
    variables: dict[str, str], wanted: bool
) -> None:
    assert traces_wanted({ENDPOINT: "http://127.0.0.1:1", **variables}) == wanted


def test_without_a_collector_the_current_span_stays_that_of_the_program() -> None:
    task = tasks.looks_around()
    with TracerProvider().get_tracer("test").start_as_current_span("around") as around:
        built(task)
    seen = parse_trace_parent(task.load()["current"])
    assert seen is not None
    assert seen.span_id == around.get_span_context().span_id
    assert task.load()["carrier"] == {}


def test_a_build_tells_within_which_span_it_was_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEPARENT", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    with TracerProvider().get_tracer("test").start_as_current_span("around") as around:
        within = parse_trace_parent(built(tasks.number(n=1)).trace_parent)
    assert within is not None
    assert within.span_id == around.get_span_context().span_id
    assert built(tasks.number(n=2)).trace_parent.startswith("00-4bf92f3577b34da6")
    monkeypatch.delenv("TRACEPARENT")
    assert built(tasks.number(n=3)).trace_parent == ""


@pytest.mark.usefixtures("traced")
def test_a_task_runs_whatever_is_wrong_with_opentelemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("no context today")

    monkeypatch.setattr("opentelemetry.context.attach", broken)
    assert built(tasks.number(n=4))
