"""Spans reach a collector, whatever becomes of the sender or the collector meanwhile."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from stardag.telemetry import ids
from stardag.tracking.connection.address import parse_address
from stardag.tracking.connection.credential import Credential
from stardag.tracking.launcher import child_environment
from stardag.tracking.sender.dispatch import Dispatch
from stardag.tracking.sender.sync import SyncReport, deliver
from stardag.tracking.sender.uplink import Server
from stardag.tracking.spool.delivery import read_delivery
from stardag.tracking.spool.streams import stream_directories

from .collector import Collector, attributes
from .conftest import MakeConfig, end_sender, sender_pids
from .event_server import EventServer, Journal
from .tasks import Step, run, types_of_run
from .test_sender import BUILDER, builder_environment, spool_of, start_sender
from .test_sync import STARTED_AND_COMPLETED, abandoned_stream
from .test_tracker import tracker
from .waiting import until


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    running = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.endpoint)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    yield running
    running.stop()


def test_a_build_is_one_trace_with_and_without_a_server(
    config: MakeConfig, collector: Collector, server: EventServer, journal: Journal
) -> None:
    builds = [run(tracker(config(address, quiet=True)), 3) for address in (server.address, None)]
    until(lambda: len(collector.spans) == 8)
    until(lambda: journal.types() == types_of_run(3))
    for build in builds:
        spans = [span for span in collector.spans if span.trace_id == build.bytes]
        (root,) = [span for span in spans if not span.parent_span_id]
        assert root.span_id == ids.root_span_id(build).to_bytes(8, "big")
        assert root.kind == Span.SPAN_KIND_SERVER
        assert attributes(root.attributes)["cicd.pipeline.name"] == "Step"
        attempts = {span.span_id: span for span in spans if span.parent_span_id}
        chain = [ids.attempt_span_id(build, Step(n).id, 1).to_bytes(8, "big") for n in range(3)]
        assert set(attempts) == set(chain)
        assert {span.parent_span_id for span in attempts.values()} == {root.span_id}
        links = [[link.span_id for link in attempts[one].links] for one in chain]
        assert links == [[], [chain[0]], [chain[1]]]
        assert attempts[chain[0]].status.code == Status.STATUS_CODE_UNSET
    assert {resource["service.name"] for resource in collector.resources} == {"stardag"}


def test_a_collector_that_is_away_holds_up_no_event_and_misses_no_span(
    config: MakeConfig, collector: Collector, server: EventServer, journal: Journal
) -> None:
    collector.stop()
    observer = tracker(config(server.address, quiet=True))
    build = run(observer, 3)
    observer.wait_delivered(20)
    assert journal.types() == types_of_run(3)
    again = Collector(port=collector.port)
    until(lambda: len(again.spans) == 4)
    assert {span.trace_id for span in again.spans} == {build.bytes}
    again.stop()


def test_what_is_too_much_for_a_collector_at_once_comes_in_parts(
    config: MakeConfig, collector: Collector
) -> None:
    collector.stop()
    again = Collector(port=collector.port, most_bytes=4000)
    run(tracker(config(None, quiet=True)), 20)
    until(lambda: len(again.spans) == 21)
    assert len(again.resources) > 2
    again.stop()


def test_a_sender_that_is_replaced_repeats_no_span_and_forgets_no_open_one(
    config: MakeConfig, collector: Collector, server: EventServer, state_dir: Path
) -> None:
    observer = tracker(config(server.address, quiet=True))
    run(observer, 3)
    spool = spool_of(state_dir)
    (stream,) = stream_directories(spool)
    until(lambda: read_delivery(stream).exported == len(types_of_run(3)))
    end_sender(state_dir, signal.SIGKILL)
    run(observer, 2)
    with start_sender(spool, server.address) as sender:
        until(lambda: read_delivery(stream).exported == len(types_of_run(3) + types_of_run(2)))
        sender.terminate()
    assert len(collector.spans) == 4 + 3
    assert len({(span.trace_id, span.span_id) for span in collector.spans}) == 4 + 3


async def test_what_is_delivered_by_hand_keeps_its_spans_for_the_collector(
    collector: Collector, server: EventServer, state_dir: Path
) -> None:
    spool = state_dir / "spool" / "local"
    stream = abandoned_stream(spool, STARTED_AND_COMPLETED, traced=True)
    address = parse_address(server.address)
    for delivered in (2, 0):
        report = await deliver(state_dir, address, Credential())
        assert report == SyncReport(delivered=delivered, untraced=1)
    with start_sender(spool, server.address) as sender:
        until(lambda: (spool / "done" / stream.name).exists())
        sender.terminate()
    assert [span.name for span in collector.spans] == ["BUILD build"]


def test_a_killed_build_has_an_end_in_its_trace(collector: Collector, state_dir: Path) -> None:
    environment = builder_environment("", state_dir, "hang")
    with subprocess.Popen(
        [sys.executable, "-c", BUILDER], env=environment, stdout=subprocess.PIPE
    ) as builder:
        assert builder.stdout is not None
        builder.stdout.readline()
        builder.kill()
    until(lambda: len(collector.spans) == 2)
    assert {span.status.code for span in collector.spans} == {Status.STATUS_CODE_ERROR}
    until(lambda: not sender_pids(state_dir))
    assert stream_directories(spool_of(state_dir)) == []


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_wrong_settings_of_traces_hold_up_no_event(
    config: MakeConfig,
    server: EventServer,
    journal: Journal,
    monkeypatch: pytest.MonkeyPatch,
    protocol: str,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    run(tracker(config(server.address, quiet=True)), 2)
    until(lambda: journal.types() == types_of_run(2))


def test_a_sender_finds_files_that_are_named_from_the_builders_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("CERTIFICATE", "TRACES_CLIENT_CERTIFICATE", "CLIENT_KEY"):
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}", "some.pem")
        found = child_environment(Credential())[f"OTEL_EXPORTER_OTLP_{name}"]
        assert found == str(tmp_path / "some.pem")


class BrokenExporter:
    def export(self, spans: object) -> bool:
        raise TypeError("a fault of OpenTelemetry")


async def test_a_fault_of_the_exporter_holds_up_no_event(
    server: EventServer, journal: Journal, tmp_path: Path
) -> None:
    stream = abandoned_stream(tmp_path, STARTED_AND_COMPLETED)
    to = Server(parse_address(server.address), Credential())
    await Dispatch(tmp_path, to, BrokenExporter(), retention_s=3600).run()
    assert journal.types() == ["BUILD_STARTED", "BUILD_COMPLETED"]
    assert (tmp_path / "done" / stream.name).exists()
