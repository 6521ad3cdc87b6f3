"""Durable events a second on PostgreSQL: eight streams, one server process, statuses folded.

What is sent is told in `ingest_load`. The clock runs from the first request to the last
acknowledgement, which comes after the commit. The floor is a binary COPY of the same events, as
PostgreSQL itself encodes them, into a table with the same index, by one connection. Ingest stores
more: beside it stands a COPY of all rows that these events make, tasks, dependencies and states
with them, and all their indexes.
"""

from __future__ import annotations

import asyncio
import io
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, cast

import asyncpg
from figures import RUNS, Figure, report
from ingest_load import BUILD_EVENTS, STREAMS, postgres, publish_seconds, serving

BUILDS = 5 * STREAMS
QUICK_BUILDS = STREAMS
TABLES = ("events", "tasks", "task_dependencies", "build_tasks")
REACH_RATE = 150_000
REACH_SHARE = 0.6


async def copy_seconds(dsn: str) -> list[float]:
    """Return how long a binary COPY of all rows takes, by table; empty the tables after it."""
    connection = cast(Any, await asyncpg.connect(dsn))
    took: list[float] = []
    for table in TABLES:
        rows = io.BytesIO()
        await connection.copy_from_query(f"SELECT * FROM {table}", output=rows, format="binary")
        await connection.execute(f"CREATE TABLE floor (LIKE {table} INCLUDING ALL)")
        rows.seek(0)
        begin = time.perf_counter()
        await connection.copy_to_table("floor", source=rows, format="binary")
        took.append(time.perf_counter() - begin)
        await connection.execute("DROP TABLE floor")
    await connection.execute(f"TRUNCATE {', '.join(TABLES)}")
    await connection.execute("CHECKPOINT")
    await connection.close()
    return took


def measure(folder: Path, builds: int) -> Figure:
    events = builds * BUILD_EVENTS
    rates: list[float] = []
    floors: list[float] = []
    all_rows: list[float] = []
    with (
        postgres(folder) as dsn,
        serving(folder / "data", dsn) as server,
    ):
        publish_seconds(server, STREAMS)
        asyncio.run(copy_seconds(dsn))
        for _ in range(RUNS):
            rates.append(events / publish_seconds(server, builds))
            took = asyncio.run(copy_seconds(dsn))
            floors.append(events / took[0])
            all_rows.append(events / sum(took))
    rate, floor = statistics.median(rates), statistics.median(floors)
    return Figure(
        figure=f"durable events/s, PostgreSQL, {STREAMS} streams",
        value=rate,
        unit="events/s",
        floor=floor,
        ratio=rate / floor,
        reach=f">= {REACH_RATE:,} events/s and >= {REACH_SHARE:.0%} of COPY",
        holds=rate >= REACH_RATE and rate / floor >= REACH_SHARE,
        rivals={"COPY of all rows made": statistics.median(all_rows)},
    )


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="stardag-bench-"))
    folder.chmod(0o755)
    try:
        report([measure(folder, QUICK_BUILDS if "--quick" in sys.argv else BUILDS)])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
