"""What a build says beside its transitions, and what it is told: over real sockets."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support.waiting import until

from stardag.client import Client
from stardag.tracking.connection.address import parse_address
from stardag.tracking.connection.credential import Credential
from stardag.v1.asset_service_pb2 import DownloadAssetRequest, GetAssetRequest, ListAssetsRequest
from stardag.v1.build_service_pb2 import CancelBuildRequest
from stardag.v1.event_pb2 import EVENT_TYPE_TASK_COMPLETED, EVENT_TYPE_TASK_PROGRESSED
from stardag.v1.event_service_pb2 import ListEventsRequest

from .conftest import Workplace, finished

if TYPE_CHECKING:
    from stardag.v1.event_pb2 import Event


def client_of(workplace: Workplace) -> Client:
    credential = Credential(None, workplace.server.data_dir / "token")
    return Client(parse_address(workplace.server.address), credential)


def events_of(client: Client, build_id: str) -> dict[int, Event]:
    request = ListEventsRequest(build_id=build_id, page_size=1000)
    return {event.type: event for event in client.events.ListEvents(request).events}


def test_progress_and_the_size_of_the_output_are_recorded(workplace: Workplace) -> None:
    built = workplace.build("shown")
    assert built.status == "completed"
    with client_of(workplace) as client:
        events = events_of(client, built.id)
    progress = events[EVENT_TYPE_TASK_PROGRESSED].progress
    assert (progress.fraction, progress.message) == (0.4, "epoch 4")
    assert events[EVENT_TYPE_TASK_COMPLETED].output.size_bytes == len("20000")


def test_what_is_said_under_a_lease_has_its_fencing_token(workplace: Workplace) -> None:
    built = workplace.build("small-leased")
    with client_of(workplace) as client:
        request = ListEventsRequest(build_id=built.id, page_size=1000)
        events = list(client.events.ListEvents(request).events)
    told = {(event.task_id, event.fencing_token) for event in events if event.attempt}
    assert len({token for _, token in told}) == len(told) == 4  # a token for each task
    assert all(token for _, token in told)
    assert not any(event.rejection for event in events)


def test_assets_are_there_when_the_build_returns(workplace: Workplace) -> None:
    built = workplace.build("shown")
    with client_of(workplace) as client:
        listed = client.assets.ListAssets(ListAssetsRequest(order_by="name")).assets
        assert [asset.name for asset in listed] == ["notes", "rows"]
        assert {asset.build_id for asset in listed} == {built.id}
        task = listed[0].task_id
        notes = client.assets.GetAsset(GetAssetRequest(task_id=task, name="notes"))
        assert (notes.content, notes.asset.description) == (b"# First try", "what happened")
        assert listed[1].size_bytes > 1 << 20  # which takes a stream of chunks
        chunks = client.assets.DownloadAsset(DownloadAssetRequest(task_id=task, name="rows"))
        table = json.loads(b"".join(response.chunk for response in chunks))
    assert table["columns"] == ["n", "text"]
    assert table["rows"][-1] == [19_999, "x" * 60]


def test_assets_kept_while_the_server_is_away_are_delivered_by_sync(workplace: Workplace) -> None:
    workplace.extra["STARDAG_FLUSH_TIMEOUT"] = "0"
    workplace.server.kill()
    assert workplace.build("shown").status == "completed"
    workplace.end_senders()
    workplace.server.start()
    synced = workplace.stardag("sync")
    assert synced.returncode == 0, synced.stdout
    with client_of(workplace) as client:
        assert len(client.assets.ListAssets(ListAssetsRequest()).assets) == 2


POOL = """
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
import stardag as sd

@sd.task
def number(n: int) -> int:
    return n

def built(n: int) -> str:
    return str(sd.build(number(n=n)).build_id)

if __name__ == "__main__":
    built(-1)  # so that the parent has a stream, and forks inherit it
    with ProcessPoolExecutor(2, mp_context=get_context(sys.argv[1])) as pool:
        print(*pool.map(built, range(4)))
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_builds_in_a_pool_of_processes_report_themselves_each(
    workplace: Workplace, method: str
) -> None:
    program = workplace.directory / "pool.py"
    program.write_text(POOL)
    command = [sys.executable, str(program), method]
    done = subprocess.run(
        command, env=workplace.settings(), cwd=workplace.directory, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for build in done.stdout.split():
        history = workplace.read("builds", "show", build)
        assert history["build"]["status"] == "BUILD_STATUS_COMPLETED"
        assert [task["status"] for task in history["tasks"]] == ["TASK_STATUS_COMPLETED"]


def test_a_build_that_is_cancelled_from_afar_stops_politely(workplace: Workplace) -> None:
    process = workplace.start_build("stopped")
    until(workplace.gate.exists, "the task to begin")
    (build,) = workplace.read("builds", "list")
    with client_of(workplace) as client:
        request = CancelBuildRequest(build_id=build["build_id"], reason="wrong data")
        client.builds.CancelBuild(request)
    built = finished(process)
    assert (built.code, built.status) == (1, "cancelled")
    history = workplace.read("builds", "show", built.id)
    assert history["build"]["status"] == "BUILD_STATUS_CANCELLED"
    assert history["build"]["reason"] == "cancelled from afar: wrong data"
    assert {task["name"]: task["status"] for task in history["tasks"]} == {
        "number": "TASK_STATUS_COMPLETED",
        "endless": "TASK_STATUS_CANCELLED",
        "total": "TASK_STATUS_CANCELLED",
    }
