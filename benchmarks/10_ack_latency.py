"""How long an event waits for its acknowledgement at 100 events a second, on both databases.

One stream sends what the SDK sends (see `ingest_load`), one event a request, one every 10 ms,
from this process to a server of its own; the clock runs from the request to the acknowledgement,
which comes after the commit. The floor is a bare commit: between two events this process inserts a
row of about as many bytes, by the driver alone and as durably; on PostgreSQL into the same
database, on SQLite, where one write at a time would wait for the other, into one beside it.

Of 2 ms on PostgreSQL gRPC takes 0.3 (a bare echo) and the transaction 1.4, being five round trips
where the floor is one. A fifth of it plans the same statements again; to have the plans kept made
groups of 160 events a third dearer for PostgreSQL.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import asyncpg
import grpc
from figures import RUNS, Figure, report
from ingest_load import Server, build_events, postgres, publish_events, serving, stream_requests

TASKS = 100
QUICK_TASKS = 20
INTERVAL = 0.01
ROW_BYTES = 200
REACH = {"p50": 2.0, "p99": 4.0}

Commit = Callable[[], Awaitable[object]]


@contextlib.asynccontextmanager
async def postgres_commit(dsn: str) -> AsyncGenerator[Commit]:
    """Give what commits one row to PostgreSQL."""
    connection = cast(Any, await asyncpg.connect(dsn))
    await connection.execute("CREATE TABLE IF NOT EXISTS floor (row bytea)")
    yield lambda: connection.execute("INSERT INTO floor VALUES ($1)", b"r" * ROW_BYTES)
    await connection.close()


@contextlib.asynccontextmanager
async def sqlite_commit(file: Path) -> AsyncGenerator[Commit]:
    """Give what commits one row to SQLite."""
    with contextlib.closing(sqlite3.connect(file, isolation_level=None, timeout=30)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE IF NOT EXISTS floor (row BLOB)")

        async def commit() -> None:
            connection.execute("INSERT INTO floor VALUES (?)", (b"r" * ROW_BYTES,))

        yield commit


async def latencies(server: Server, commit: Commit, tasks: int) -> tuple[list[float], list[float]]:
    """Return the seconds that each event, and each bare commit between them, took."""
    opening, *ready = stream_requests([*build_events(uuid4(), tasks)], uuid4(), batch=1)
    waiting: asyncio.Queue[bytes] = asyncio.Queue()

    async def requests() -> AsyncIterator[bytes]:
        while request := await waiting.get():
            yield request

    events: list[float] = []
    commits: list[float] = []
    async with grpc.aio.insecure_channel(server.address) as channel:
        call = publish_events(channel, server.token, requests())
        waiting.put_nowait(opening)
        await call.read()
        for request in ready:
            await asyncio.sleep(INTERVAL / 2)
            begin = time.perf_counter()
            waiting.put_nowait(request)
            await call.read()
            events.append(time.perf_counter() - begin)
            await asyncio.sleep(INTERVAL / 2)
            begin = time.perf_counter()
            await commit()
            commits.append(time.perf_counter() - begin)
        waiting.put_nowait(b"")
    return events, commits


async def figures(name: str, server: Server, commit: Commit, tasks: int) -> list[Figure]:
    """Return the median and the 99th percentile on one database, each the median of all runs."""
    await latencies(server, commit, QUICK_TASKS)
    runs = [await latencies(server, commit, tasks) for _ in range(RUNS)]
    made: list[Figure] = []
    for label, percent in (("p50", 50), ("p99", 99)):
        value, floor = (
            statistics.median(
                statistics.quantiles(run[part], n=100)[percent - 1] * 1_000 for run in runs
            )
            for part in (0, 1)
        )
        made.append(
            Figure(
                figure=f"ack latency at 100 events/s, {name}, {label}",
                value=value,
                unit="ms",
                floor=floor,
                ratio=value / floor,
                reach=f"<= {REACH[label]:g} x a bare commit",
                holds=value / floor <= REACH[label],
            )
        )
    return made


async def measure_postgres(folder: Path, tasks: int) -> list[Figure]:
    with postgres(folder) as dsn, serving(folder / "postgres", dsn) as server:
        async with postgres_commit(dsn) as commit:
            return await figures("PostgreSQL", server, commit, tasks)


async def measure_sqlite(folder: Path, tasks: int) -> list[Figure]:
    with serving(folder / "sqlite") as server:
        async with sqlite_commit(folder / "sqlite" / "floor.sqlite") as commit:
            return await figures("SQLite", server, commit, tasks)


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="stardag-bench-"))
    folder.chmod(0o755)
    tasks = QUICK_TASKS if "--quick" in sys.argv else TASKS
    try:
        found = asyncio.run(measure_postgres(folder, tasks))
        report(found + asyncio.run(measure_sqlite(folder, tasks)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
