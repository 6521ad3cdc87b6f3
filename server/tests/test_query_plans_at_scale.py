"""At a million rows a table, on statistics of its own, the planner scans no table either."""

import time
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine
from test_query_plans import QUERIES, TASK, plans, reader, scans

from stardag_server.store.schema import Task
from stardag_server.store.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROWS = 1_000_000
TASKS_IN_BUILD = 1_000

_POSTGRES_SERIES = f"generate_series(1, {ROWS}) AS series(n)"
_SQLITE_SERIES = (
    f"(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {ROWS})"
    " SELECT n FROM s)"
)
FILL = (
    """
    INSERT INTO builds (workspace_id, uuid, create_time, update_time, status, name, labels)
    SELECT 1, {uuid}, n, n, 1 + (n % 5), 'Name' || (n % 100), {labels} FROM {series}
    """,
    """
    INSERT INTO streams (workspace_id, uuid, generation, watermark, client, host, pid,
                         create_time, last_seen)
    SELECT 1, {uuid}, 1, 1, '', '', 1, n, n FROM {series}
    """,
    """
    INSERT INTO tasks (workspace_id, uuid, create_time, namespace, name, version,
                       identity_json, params)
    SELECT 1, {uuid}, n, 'n', 'Name' || (n % 100), '', '', {params} FROM {series}
    """,
    """
    INSERT INTO build_tasks (build_id, ordinal, task_id, status, attempt, stream_id, start_time,
                             start_monotonic, end_time, duration, position, update_time)
    SELECT 1 + (n - 1) / {size}, 1 + (n - 1) % {size}, n, 1 + (n % 8), 1, n, n, n, n, 1, n, n
    FROM {series}
    """,
    """
    INSERT INTO task_dependencies (task_id, upstream_id, dynamic)
    SELECT n, n - 1, {false} FROM {series} WHERE n > 1
    """,
    """
    INSERT INTO committed_ranges (workspace_id, number, build_id, first_position, last_position)
    SELECT 1, n, 1 + (n - 1) / {size}, 1 + (n - 1) % {size}, 1 + (n - 1) % {size} FROM {series}
    """,
    """
    INSERT INTO events (build_id, position, commit_time, task_id, stream_id, sequence, event_time,
                        monotonic, attempt, type)
    SELECT 1 + (n - 1) / {size}, 1 + (n - 1) % {size}, {now}, n, n, 1, n, n, 1, 1 FROM {series}
    """,
)


@pytest.fixture
async def large(database_url: sa.URL) -> AsyncIterator[Store]:
    """A store whose tables have a million rows each."""
    store = reader(database_url)
    database = store._database
    assert await store.workspace() == 1
    await store._partitions.ensure()
    postgres = database.postgres
    words = {
        "series": _POSTGRES_SERIES if postgres else _SQLITE_SERIES,
        "uuid": "gen_random_uuid()" if postgres else "lower(hex(randomblob(16)))",
        "labels": "jsonb_build_object('team', n)" if postgres else "json_object('team', n)",
        "params": "jsonb_build_object('lr', n)" if postgres else "json_object('lr', n)",
        "false": "false" if postgres else "0",
        "size": TASKS_IN_BUILD,
        "now": time.time_ns() // 1_000,
    }
    # The store's own connections give up after half a minute.
    engine = create_async_engine(database._writer.url)
    for statement in FILL:
        async with engine.begin() as connection:
            await connection.exec_driver_sql(statement.format(**words))
    async with engine.begin() as connection:
        await connection.execute(sa.update(Task).where(Task.id == ROWS // 2).values(uuid=TASK))
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(sa.text("VACUUM ANALYZE" if postgres else "ANALYZE"))
    await engine.dispose()
    yield store
    await store.close()


async def test_no_query_scans_a_table_of_a_million_rows(large: Store):
    found = {name: scans(await plans(large, query)) for name, query in QUERIES.items()}
    assert not {name: lines for name, lines in found.items() if lines}
