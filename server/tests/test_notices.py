"""What one replica commits, those who watch at another hear of at once, or a poll later."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from producer import Producer
from running_server import Client, running
from sqlalchemy.ext.asyncio import create_async_engine

from stardag.v1.event_service_pb2 import WatchBuildRequest, WatchEventsRequest
from stardag_server import heads
from stardag_server.store import notices

_NEVER = 3600.0


@contextlib.asynccontextmanager
async def replicas(url: sa.URL, folder: Path) -> AsyncGenerator[tuple[Client, Client]]:
    async with (
        running(url, folder / "here") as here,
        running(url, folder / "there") as there,
        here.client() as client,
        there.client() as other,
    ):
        yield client, other


@contextlib.asynccontextmanager
async def watching(client: Client, build_id: str) -> AsyncGenerator[list[Any]]:
    """Have a watch of a build and one of its workspace, both begun."""
    calls = [
        client.events.WatchBuild(WatchBuildRequest(build_id=build_id), metadata=client.metadata),
        client.events.WatchEvents(WatchEventsRequest(), metadata=client.metadata),
    ]
    for call in calls:
        await call.read()
    yield calls
    for call in calls:
        call.cancel()


async def seen_by_all(calls: list[Any]) -> None:
    """Wait until each has had one more response that is no heartbeat."""
    async with asyncio.timeout(40):
        for call in calls:
            while (await call.read()).heartbeat:
                pass


async def end_listening(url: sa.URL) -> None:
    """End the connections by which two servers hear of one another, once they have them."""
    engine = create_async_engine(url)
    end = sa.text(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND query ~ '^(LISTEN|NOTIFY).*stardag_commits'"
    )
    ended = 0
    async with asyncio.timeout(20), engine.connect() as connection:
        while ended < 2:
            ended += (await connection.execute(end)).scalar_one()
            await asyncio.sleep(0.01)
    await engine.dispose()


async def test_a_commit_at_one_replica_wakes_those_who_watch_at_another(
    postgres_url: sa.URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(heads, "_INTERVAL", _NEVER)
    make = Producer()
    async with replicas(postgres_url, tmp_path) as (here, there):
        await here.publish(make.open, [make.started()])
        async with watching(there, make.build_id) as calls:
            for change in range(3):
                await here.publish(make.open, [make.pending(str(change))], first=2 + change)
                await seen_by_all(calls)


async def test_without_notices_it_is_found_by_polling(
    postgres_url: sa.URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(heads, "_INTERVAL", 0.2)
    monkeypatch.setattr(notices, "_RETRY", _NEVER)
    make = Producer()
    async with replicas(postgres_url, tmp_path) as (here, there):
        await here.publish(make.open, [make.started()])
        async with watching(there, make.build_id) as calls:
            await end_listening(postgres_url)
            await here.publish(make.open, [make.pending("a")], first=2)
            await seen_by_all(calls)


async def test_a_replica_whose_listening_connection_is_lost_listens_again(
    postgres_url: sa.URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(heads, "_INTERVAL", _NEVER)
    monkeypatch.setattr(notices, "_RETRY", 0.1)
    make = Producer()
    async with replicas(postgres_url, tmp_path) as (here, there):
        await here.publish(make.open, [make.started()])
        async with watching(there, make.build_id) as calls:
            for first in (2, 4):
                await end_listening(postgres_url)
                # Told to nobody, it is found when listening begins again.
                await here.publish(make.open, [make.pending(f"lost-{first}")], first=first)
                await seen_by_all(calls)
                await here.publish(make.open, [make.pending(f"told-{first}")], first=first + 1)
                await seen_by_all(calls)
