"""A killed build ends for everybody: its status, its spans, its locks."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from support.collector import Collector
from support.waiting import until

from stardag.telemetry.ids import attempt_span_id, root_span_id
from stardag.v1.build_pb2 import BUILD_STATUS_ABANDONED, BUILD_STATUS_RUNNING
from stardag.v1.build_service_pb2 import GetBuildRequest
from stardag.v1.task_pb2 import (
    TASK_STATUS_CANCELLED,
    TASK_STATUS_COMPLETED,
    TASK_STATUS_RUNNING,
)

from .conftest import Workplace

if TYPE_CHECKING:
    from stardag.client import Client

_PLANTED = Path(__file__).parent / "chaos" / "planted"
_WAITING = {"gated", "forking"}
_ERROR = 2


@pytest.fixture
def collector(workplace: Workplace) -> Iterator[Collector]:
    collector = Collector()
    workplace.extra["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.endpoint
    workplace.extra["OTEL_EXPORTER_OTLP_PROTOCOL"] = "grpc"
    yield collector
    workplace.gate.touch()  # what a killed build has left behind waits for it
    workplace.end_senders()
    collector.close()


def start_waiting(
    workplace: Workplace, client: Client, name: str
) -> tuple[subprocess.Popen[str], str]:
    """Start a build, and return it with its id once the task that waits is running."""
    known = {build.build_id for build in client.list_builds()}
    builder = workplace.start_build(name)

    def waits() -> str | None:
        for build in client.list_builds():
            for state in client.list_task_states(build.build_id, [TASK_STATUS_RUNNING]):
                if build.build_id not in known and client.get_task(state.task_id).name in _WAITING:
                    return build.build_id
        return None

    return builder, until(waits, f"{name} to wait")


def kill(builder: subprocess.Popen[str], *, with_group: bool) -> None:
    if with_group:
        os.killpg(builder.pid, signal.SIGKILL)
    else:
        builder.kill()
    for pipe in (builder.stdout, builder.stderr):  # others may have them open for long
        assert pipe is not None
        pipe.close()
    assert builder.wait() == -signal.SIGKILL


def status(client: Client, build_id: str) -> int:
    return client.builds.GetBuild(GetBuildRequest(build_id=build_id)).build.status


def wait_abandoned(client: Client, build_id: str) -> None:
    until(lambda: status(client, build_id) == BUILD_STATUS_ABANDONED, "the build to be given up")


@pytest.mark.parametrize(
    ("name", "with_group"),
    [
        ("waiting-inline-locked", False),
        ("waiting-leased", True),
        ("waiting-processes-leased", False),
        ("forked-locked", False),
        ("forked-leased", False),
    ],
)
def test_a_killed_build_is_closed_and_holds_nothing(
    workplace: Workplace, collector: Collector, name: str, with_group: bool
) -> None:
    """Though its workers, and what its tasks have forked, may go on."""
    with workplace.client() as client:
        builder, build_id = start_waiting(workplace, client, name)
        kill(builder, with_group=with_group)
        wait_abandoned(client, build_id)
        states = list(client.list_task_states(build_id))
        assert {state.status for state in states} == {TASK_STATUS_COMPLETED, TASK_STATUS_CANCELLED}
        cut_off = [state for state in states if state.status == TASK_STATUS_CANCELLED]
        build = UUID(build_id)
        expected = [root_span_id(build)] + [
            attempt_span_id(build, UUID(state.task_id), state.attempt)
            for state in cut_off
            if state.attempt
        ]

        def ended_by_force() -> list[int]:
            errors = [span for span in collector.spans if span.status.code == _ERROR]
            return [int.from_bytes(span.span_id, "big") for span in errors]

        until(lambda: len(ended_by_force()) >= len(expected), "the spans of what was cut off")
        assert sorted(ended_by_force()) == sorted(expected)
        # what it had locked is free, though nobody has opened the gate
        other, _ = start_waiting(workplace, client, name)
        kill(other, with_group=True)


def test_a_build_whose_machine_is_gone_is_given_up(tmp_path: Path) -> None:
    """By a server that waits for seconds where others wait for minutes."""
    workplace = Workplace(tmp_path)
    workplace.server.environment = {
        "PYTHONPATH": str(_PLANTED),
        "CHAOS_PLANT": "server_of_little_patience",
    }
    with workplace.server, workplace.client() as client:
        builder, build_id = start_waiting(workplace, client, "waiting-processes")
        assert status(client, build_id) == BUILD_STATUS_RUNNING
        for pid in workplace.senders():
            os.kill(pid, signal.SIGKILL)
        kill(builder, with_group=True)
        shutil.rmtree(workplace.state)
        wait_abandoned(client, build_id)
        statuses = {state.status for state in client.list_task_states(build_id)}
        assert statuses == {TASK_STATUS_COMPLETED, TASK_STATUS_CANCELLED}
