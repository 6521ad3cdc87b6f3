"""The pages for operators, over HTTP."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from http.client import HTTPConnection
from pathlib import Path

import pytest
import sqlalchemy as sa
from producer import Producer
from running_server import Client, RunningServer, running

from stardag.v1.build_service_pb2 import GetBuildRequest
from stardag.v1.event_pb2 import EVENT_TYPE_TASK_STARTED
from stardag.v1.event_service_pb2 import WatchBuildRequest


@pytest.fixture
async def server(database_url: sa.URL, tmp_path: Path) -> AsyncIterator[RunningServer]:
    """A server that answers HTTP too."""
    async with running(database_url, tmp_path / "data", http_port=0) as server:
        yield server


async def get(
    server: RunningServer, path: str, headers: Mapping[str, str] | None = None
) -> tuple[int, str, dict[str, str]]:
    """Return status, body and headers; in a thread, as the server is in this event loop."""

    def ask() -> tuple[int, str, dict[str, str]]:
        connection = HTTPConnection(server.http.removeprefix("http://"), timeout=5)
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        said = response.read().decode()
        connection.close()
        return response.status, said, {k.lower(): v for k, v in response.getheaders()}

    return await asyncio.to_thread(ask)


def value(metrics: str, series: str) -> float:
    """Return the value of a series, by its name with its labels; 0 if it is not there."""
    found = re.search(rf"^{re.escape(series)} (\S+)$", metrics, re.MULTILINE)
    return float(found[1]) if found else 0.0


async def test_a_server_that_serves_is_alive_and_ready(server: RunningServer):
    for path in ("/healthz", "/readyz"):
        status, said, headers = await get(server, path)
        assert (status, said) == (200, "ok\n")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers


@pytest.mark.parametrize("host", ["attacker.example", "127.0.0.1.attacker.example", ""])
async def test_a_page_of_another_site_is_refused(server: RunningServer, host: str):
    status, said, _ = await get(server, "/metrics", {"Host": host})
    assert status == 400
    assert "stardag" not in said


async def test_there_is_nothing_else(server: RunningServer):
    assert (await get(server, "/"))[0] == 404
    assert (await get(server, "/metrics/../settings"))[0] == 404


async def test_metrics_count_events_commits_calls_and_rejections(
    server: RunningServer, client: Client
):
    make = Producer()
    senseless = make.event(EVENT_TYPE_TASK_STARTED, "a", attempt=0)
    await client.publish(make.open, [make.started(), *make.run("a"), senseless])
    _, text, headers = await get(server, "/metrics")
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    assert value(text, "stardag_ingest_events_total") == 5
    assert value(text, 'stardag_ingest_rejected_events_total{reason="EVENT_INVALID"}') == 1
    assert value(text, "stardag_ingest_commit_events_count") == 1
    assert value(text, "stardag_ingest_commit_seconds_sum") > 0
    method = "/stardag.v1.EventService/PublishEventBatch"
    assert value(text, f'stardag_calls_total{{code="OK",method="{method}"}}') == 1
    assert value(text, f'stardag_call_seconds_count{{method="{method}"}}') == 1
    assert value(text, "stardag_ready") == 1
    assert value(text, "stardag_ingest_queue_events") == 0
    assert value(text, "stardag_ingest_lag_seconds") == 0


async def test_open_streams_and_watches_are_shown_while_they_are(
    server: RunningServer, client: Client
):
    make = Producer()
    await client.publish(make.open, [make.started()])
    watch = client.events.WatchBuild(
        WatchBuildRequest(build_id=make.build_id), metadata=client.metadata
    )
    await watch.read()
    method = "/stardag.v1.EventService/WatchBuild"
    series = f'stardag_open_calls{{method="{method}"}}'
    assert value((await get(server, "/metrics"))[1], series) == 1
    watch.cancel()
    async with asyncio.timeout(5):
        while value((await get(server, "/metrics"))[1], series):
            await asyncio.sleep(0.01)
    text = (await get(server, "/metrics"))[1]
    assert value(text, f'stardag_calls_total{{code="CANCELLED",method="{method}"}}') == 1


async def test_refused_calls_are_counted_by_their_code_and_name_no_caller(
    server: RunningServer, client: Client
):
    for metadata in (client.metadata, ()):
        with pytest.raises(Exception, match=r"NOT_FOUND|UNAUTHENTICATED"):
            await client.builds.GetBuild(
                GetBuildRequest(build_id=Producer().build_id), metadata=metadata
            )
    _, text, _ = await get(server, "/metrics")
    method = "/stardag.v1.BuildService/GetBuild"
    for code in ("NOT_FOUND", "UNAUTHENTICATED"):
        assert value(text, f'stardag_calls_total{{code="{code}",method="{method}"}}') == 1
    assert server.token not in text
