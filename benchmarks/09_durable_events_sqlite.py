"""Durable events a second on SQLite, synchronous=FULL: eight streams, one server process.

What is sent is told in `ingest_load`. The floor is the driver's `executemany` of the same rows of
the log into an empty database with the same tables, in the same transactions. Ingest stores more:
beside it stands the same with all rows that these events make, tasks, dependencies and states
with them.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from figures import RUNS, Figure, report
from ingest_load import BUILD_EVENTS, STREAMS, publish_seconds, serving

BUILDS = 3 * STREAMS
QUICK_BUILDS = STREAMS
REACH_RATE = 100_000

# The rows of each table after the time when their transaction was committed, which leads them.
LOG = {"events": "SELECT commit_time, * FROM events"}
ALL = {
    **LOG,
    "tasks": "SELECT create_time, * FROM tasks",
    "task_dependencies": (
        "SELECT create_time, task_dependencies.* FROM task_dependencies JOIN tasks ON id = task_id"
    ),
    "build_tasks": "SELECT update_time, * FROM build_tasks",
}

Inserts = list[tuple[str, list[Sequence[Any]]]]


def transactions(database: Path, queries: dict[str, str]) -> list[Inserts]:
    """Return what each transaction inserted: by table, its rows."""
    by_time: dict[int, Inserts] = defaultdict(list)
    with contextlib.closing(sqlite3.connect(database)) as connection:
        for table, query in queries.items():
            rows = connection.execute(f"{query} ORDER BY 1").fetchall()
            for moment, group in itertools.groupby(rows, key=itemgetter(0)):
                by_time[moment].append((table, [row[1:] for row in group]))
    return [by_time[moment] for moment in sorted(by_time)]


def insert_seconds(database: Path, queries: dict[str, str]) -> float:
    """Return how long it takes to insert these rows into a copy of the database without rows."""
    ready = transactions(database, queries)
    copy = database.with_suffix(".copy")
    with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("ATTACH ? AS original", (str(database),))
        for (statement,) in connection.execute(
            "SELECT sql FROM original.sqlite_schema WHERE sql IS NOT NULL"
        ).fetchall():
            connection.execute(statement)
        begin = time.perf_counter()
        for inserts in ready:
            connection.execute("BEGIN IMMEDIATE")
            for table, rows in inserts:
                places = ", ".join("?" * len(rows[0]))
                connection.executemany(f"INSERT INTO {table} VALUES ({places})", rows)
            connection.execute("COMMIT")
        took = time.perf_counter() - begin
    copy.unlink()
    return took


def run(folder: Path, builds: int) -> tuple[float, float, float]:
    """Return events a second of a server on an empty database, and of the two raw inserts."""
    with serving(folder) as server:
        took = publish_seconds(server, builds)
    database = next(folder.glob("*.sqlite"))
    raw = [insert_seconds(database, queries) for queries in (LOG, ALL)]
    shutil.rmtree(folder)
    events = builds * BUILD_EVENTS
    return events / took, events / raw[0], events / raw[1]


def measure(folder: Path, builds: int) -> Figure:
    runs = [run(folder / "data", builds) for _ in range(RUNS)]
    rate, floor, all_rows = (statistics.median(rates) for rates in zip(*runs, strict=True))
    return Figure(
        figure=f"durable events/s, SQLite, {STREAMS} streams",
        value=rate,
        unit="events/s",
        floor=floor,
        ratio=rate / floor,
        reach=f">= {REACH_RATE:,} events/s",
        holds=rate >= REACH_RATE,
        rivals={"raw inserts of all rows made": all_rows},
    )


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="stardag-bench-"))
    try:
        report([measure(folder, QUICK_BUILDS if "--quick" in sys.argv else BUILDS)])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
