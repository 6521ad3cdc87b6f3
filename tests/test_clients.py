"""Clients in other languages leave behind what the Python SDK does, for the same build."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from certificates import Authority
from server_process import ServerProcess
from support.go import path_with_go
from support.relay import BATCH_EVENTS, Relay
from support.waiting import until

from stardag.client import Client, NotFoundError
from stardag.tracking.connection.address import parse_address
from stardag.tracking.connection.credential import Credential
from stardag.v1.build_service_pb2 import CancelBuildRequest, GetBuildRequest
from stardag.v1.event_pb2 import EVENT_TYPE_BUILD_CANCELLED
from stardag.v1.event_service_pb2 import WATCH_MODE_EVENTS
from stardag.v1.registry_service_pb2 import BatchGetTasksRequest
from stardag.v1.task_pb2 import TaskStatus

from .chaos.proxy import Proxy
from .conftest import Workplace

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from stardag.v1.event_pb2 import Event

CLIENTS = Path(__file__).parent.parent / "clients"
CASES = CLIENTS / "cases.json"
NO_TOOL = 77
"""What a client exits with where the tools of its language are not installed."""


def languages() -> list[Any]:
    """Return the languages that have a client; Java and Rust take minutes to be made first."""
    found = [program.parent.name for program in sorted(CLIENTS.glob("*/run"))]
    slow = (pytest.mark.slow, pytest.mark.timeout(1200))
    return [pytest.param(name, marks=slow if name in ("java", "rust") else ()) for name in found]


def pipeline(*arguments: str, workplace: Workplace | None = None) -> str:
    """Run the build as the Python SDK has it, and return what it printed."""
    command = [sys.executable, str(CLIENTS / "pipeline.py"), *arguments]
    settings = workplace.settings() if workplace else None
    done = subprocess.run(command, capture_output=True, text=True, env=settings, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def client_of(server: ServerProcess) -> Client:
    return Client(parse_address(server.address), Credential(None, server.data_dir / "token"))


def stored(client: Client, build_id: str) -> dict[str, Any]:
    """Return what a server has of a build, but for when and by whom it was made."""
    build = client.builds.GetBuild(GetBuildRequest(build_id=build_id)).build
    states = {state.task_id: state for state in client.list_task_states(build_id)}
    tasks = client.registry.BatchGetTasks(BatchGetTasksRequest(task_ids=sorted(states))).tasks
    assert build.completeness.rejected_events == 0
    return {
        "build": (build.name, build.description, dict(build.labels), build.status),
        "tasks": {
            task.task_id: {
                "type": (task.namespace, task.name, task.version),
                "identity_json": task.identity_json,
                "params_json": task.params_json,
                "dependency_ids": sorted(task.dependency_ids),
                "output_uri": task.output_uri,
                "state": outcome(states[task.task_id]),
            }
            for task in tasks
        },
    }


def outcome(state: Any) -> tuple[str, int, str, str]:
    status = TaskStatus.Name(state.status).removeprefix("TASK_STATUS_")
    return status, state.attempt, state.failure.kind, state.failure.message


def log_of(client: Client, build_id: str) -> list[Event]:
    responses = client.watch_build(build_id, WATCH_MODE_EVENTS)
    return [event for response in responses for event in response.events]


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("python")


@pytest.fixture(scope="module")
def of_the_sdk(outputs: Path) -> dict[str, Any]:
    """What a server has of the build when the Python SDK made it."""
    place = Workplace(outputs)
    with place.server:
        build_id = pipeline(workplace=place)
        with client_of(place.server) as client:
            found = stored(client, build_id)
        place.end_senders()
    return found


@pytest.fixture
def cases(outputs: Path, tmp_path: Path) -> dict[str, Any]:
    """The table with ids of its own, and outputs where the SDK's are; also as `cases.json`."""
    text = CASES.read_text().replace('"/roots/d/', f'"{outputs}/targets/')
    table = json.loads(text)
    table["build"] |= {"id": str(uuid4()), "stream_id": str(uuid4())}
    write(table, tmp_path)
    return table


def write(table: dict[str, Any], folder: Path) -> None:
    (folder / "cases.json").write_text(json.dumps(table, ensure_ascii=False))


def test_the_table_of_cases_is_the_build_that_the_python_sdk_makes() -> None:
    assert json.loads(pipeline("--cases")) == json.loads(CASES.read_text())


def test_the_client_in_python_reads_addresses_as_the_sdk_does() -> None:
    # those in other languages have tests of their own, which `run --make` runs
    parse_address = runpy.run_path(str(CLIENTS / "python" / "connection.py"))["parse_address"]
    for case in json.loads(CASES.read_text())["addresses"]:
        assert parse_address(case["text"]) == (case["host_and_port"], case["tls"])


@pytest.mark.parametrize("language", languages())
def test_a_build_is_the_same_whichever_language_published_it(
    language: str, cases: dict[str, Any], of_the_sdk: dict[str, Any], tmp_path: Path
) -> None:
    build = cases["build"]
    authority = Authority.make(tmp_path / "ca")
    with (
        ServerProcess(tmp_path / "server") as server,
        client_of(server) as client,
        Relay(server.address, *authority.issue("relay")) as relay,
        Proxy() as network,
    ):
        relay.refused_once = {"/stardag.v1.BuildService/ListBuilds"}
        network.ports.append(relay.port)
        settings = {
            "STARDAG_SERVER": f"https://{network.address}",
            "STARDAG_TOKEN": server.token,
            "STARDAG_CA_FILE": str(authority.file),
        }
        with started(language, tmp_path / "cases.json", settings) as process:
            break_twice(network, relay, client, build["id"])
            report = report_of(process)
        found = stored(client, build["id"])
        log = log_of(client, build["id"])
    assert found == of_the_sdk
    assert [(e.stream_id, e.sequence) for e in log] == [
        (build["stream_id"], n) for n in range(1, len(log) + 1)
    ]
    assert report == {
        "language": language,
        "identity_ok": True,
        "events_acked": len(log),
        "watched_statuses": {t["task_id"]: t["outcome"].upper() for t in build["tasks"]},
        "listed_builds": [build["id"]],
        "paged_task_ids": [task["task_id"] for task in build["tasks"]],
        "error_reason": "BUILD_NOT_FOUND",
    }
    assert not relay.refused_once
    for connection in relay.connections:
        assert connection.batches == [] or connection.batches[0][0] == connection.committed + 1
        assert all(count <= BATCH_EVENTS for _, count in connection.batches)
    assert sum(connection.heartbeats for connection in relay.connections) > 0


def break_twice(network: Proxy, relay: Relay, client: Client, build_id: str) -> None:
    """Break a client's connections: once it has begun, and once it is done and does not know."""
    until(lambda: has_begun(client, build_id), "the first event of the build")
    network.reset()
    until(lambda: len(relay.connections) > 1 and relay.connections[-1].batches, "a new connection")
    network.weather.loses_answers = True
    log_of(client, build_id)
    network.clear()


@pytest.mark.parametrize("language", languages())
def test_a_client_ends_a_build_that_is_asked_to_stop(
    language: str, cases: dict[str, Any], tmp_path: Path
) -> None:
    build = cases["build"]
    for task in build["tasks"]:
        task["duration_s"] = 600
    write(cases, tmp_path)
    with ServerProcess(tmp_path / "server") as server, client_of(server) as client:
        settings = {"STARDAG_SERVER": f"http://{server.address}", "STARDAG_TOKEN": server.token}
        with started(language, tmp_path / "cases.json", settings) as process:
            until(lambda: has_begun(client, build["id"]), "the first event of the build")
            reason = "the data of today are wrong"
            client.builds.CancelBuild(CancelBuildRequest(build_id=build["id"], reason=reason))
            report = report_of(process)
        last = log_of(client, build["id"])[-1]
    assert (last.type, last.build_end.reason) == (EVENT_TYPE_BUILD_CANCELLED, reason)
    running, *waiting = (report["watched_statuses"][task["task_id"]] for task in build["tasks"])
    assert running == "CANCELLED" and "COMPLETED" not in waiting


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize(
    ("server", "told"),
    [("http://192.0.2.1:7465", "unencrypted"), ("ftp://127.0.0.1", "ftp")],
    ids=["a token in plain text", "another scheme"],
)
def test_a_client_refuses_an_address_that_it_should_not_call(
    language: str, server: str, told: str
) -> None:
    with started(language, CASES, {"STARDAG_SERVER": server, "STARDAG_TOKEN": "t"}) as process:
        _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert told in error.splitlines()[-1], error


@pytest.mark.parametrize("language", languages())
def test_a_client_tells_why_it_was_refused(language: str, shared_server: ServerProcess) -> None:
    settings = {"STARDAG_SERVER": shared_server.address, "STARDAG_TOKEN": "of-somebody-else"}
    with started(language, CASES, settings) as process:
        _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "CREDENTIAL_INVALID" in error.splitlines()[-1], error
    assert "of-somebody-else" not in error


def has_begun(client: Client, build_id: str) -> bool:
    try:
        client.builds.GetBuild(GetBuildRequest(build_id=build_id))
    except NotFoundError:
        return False
    return True


@contextmanager
def started(
    language: str, cases: Path, settings: dict[str, str]
) -> Generator[subprocess.Popen[str]]:
    """Make a client where that is to be done, and start it; end it with the block."""
    program = CLIENTS / language / "run"
    path = path_with_go() if language == "go" else None
    environment = os.environ | ({"PATH": path} if path else {})
    made = subprocess.run(
        [program, "--make"], env=environment, capture_output=True, text=True, check=False
    )
    if made.returncode == NO_TOOL and os.environ.get("CI") != "true":
        pytest.skip(made.stderr.strip())
    assert made.returncode == 0, made.stdout + made.stderr
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([program, cases], env=environment | settings, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()
            if process.stderr and not process.stderr.closed:
                print(process.stderr.read())  # shown where the test failed


def report_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Return the JSON object in a client's last line, once it has ended well."""
    out, error = process.communicate(timeout=60)
    assert process.returncode == 0, out + error
    return json.loads(out.splitlines()[-1])
