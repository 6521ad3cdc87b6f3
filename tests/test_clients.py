"""Clients in other languages leave behind what the Python SDK does, for the same build."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from server_process import ServerProcess

from stardag.client import Client
from stardag.tracking.connection.address import parse_address
from stardag.tracking.connection.credential import Credential
from stardag.v1.build_service_pb2 import GetBuildRequest
from stardag.v1.event_service_pb2 import WATCH_MODE_EVENTS
from stardag.v1.registry_service_pb2 import BatchGetTasksRequest
from stardag.v1.task_pb2 import TaskStatus

from .conftest import Workplace

if TYPE_CHECKING:
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
    (tmp_path / "cases.json").write_text(json.dumps(table, ensure_ascii=False))
    return table


def test_the_table_of_cases_is_the_build_that_the_python_sdk_makes() -> None:
    assert json.loads(pipeline("--cases")) == json.loads(CASES.read_text())


@pytest.mark.parametrize("language", languages())
def test_a_build_is_the_same_whichever_language_published_it(
    language: str, cases: dict[str, Any], of_the_sdk: dict[str, Any], tmp_path: Path
) -> None:
    build = cases["build"]
    with ServerProcess(tmp_path / "server") as server, client_of(server) as client:
        report = run(language, tmp_path / "cases.json", server)
        found = stored(client, build["id"])
        log = log_of(client, build["id"])
    assert found == of_the_sdk
    assert [(e.stream_id, e.sequence) for e in log] == [
        (build["stream_id"], n) for n in range(1, len(log) + 1)
    ]
    ids = [task["task_id"] for task in build["tasks"]]
    assert report == {
        "language": language,
        "identity_ok": True,
        "events_acked": len(log),
        "watched_statuses": {t["task_id"]: t["outcome"].upper() for t in build["tasks"]},
        "listed_builds": [build["id"]],
        "paged_task_ids": ids,
        "error_reason": "BUILD_NOT_FOUND",
    }


def run(language: str, cases: Path, server: ServerProcess) -> dict[str, Any]:
    """Run a client, and return the JSON object in its last line."""
    settings = {"STARDAG_SERVER": server.address, "STARDAG_TOKEN": server.token}
    done = subprocess.run(
        [CLIENTS / language / "run", cases],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == NO_TOOL and os.environ.get("CI") != "true":
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])
