"""No query over history reads a table from one end to the other.

PostgreSQL is told to scan only where it has no other way, so that a scan in a
plan means a missing index, however small the tables are. SQLite chooses by its
indexes alone.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import pytest
import sqlalchemy as sa
from producer import Producer, task_id
from sqlalchemy import event

from stardag_server.domain.batch import Batch
from stardag_server.domain.filter_fields import BUILD_FIELDS, EVENT_FIELDS, TASK_FIELDS
from stardag_server.domain.filters import parse
from stardag_server.store.store import Store
from stardag_server.store.workspace_log import LogPlace

WORKSPACE, BUILD = 1, 1
TASK = task_id("a")

LARGE = (
    "builds",
    "tasks",
    "build_tasks",
    "task_dependencies",
    "events",
    "streams",
    "committed_ranges",
)

Query = Callable[[Store], Awaitable[object]]


def tasks(filter: str, after: int | None = None) -> Query:
    return lambda store: store.listing.tasks(
        WORKSPACE, after, 50, condition=parse(filter, TASK_FIELDS)
    )


def builds(filter: str, after: int | None = None, statuses: tuple[int, ...] = ()) -> Query:
    return lambda store: store.listing.builds(
        WORKSPACE, after, 50, condition=parse(filter, BUILD_FIELDS), statuses=statuses
    )


QUERIES: dict[str, Query] = {
    "builds": builds(""),
    "builds of a later page": builds("", after=5),
    "builds by status": builds("", statuses=(1,)),
    "builds by status in a filter": builds("status = RUNNING"),
    "builds by task": builds(f'task_id = "{TASK}"'),
    "builds whose ids begin alike": builds(f'build_id >= "{TASK}" AND build_id <= "{TASK}"'),
    "builds by label": builds("labels.team = search"),
    "tasks": tasks(""),
    "tasks of a later page": tasks("", after=5),
    "tasks whose ids begin alike": tasks(f'task_id >= "{TASK}" AND task_id <= "{TASK}"'),
    "tasks by type": tasks("name = a AND namespace = n"),
    "tasks by parameter": tasks("params.lr = 0.1"),
    "tasks by latest state": tasks("status = FAILED"),
    "suggested texts": lambda store: store.samples.texts(
        WORKSPACE, "tasks", "name", prefix="a", longest=9, limit=9
    ),
    "suggested parameters": lambda store: store.samples.documents(WORKSPACE, "tasks", "params"),
    "requests to stop": lambda store: store.queries.cancels(WORKSPACE, [TASK]),
    "events": lambda store: store.listing.events(BUILD, None, 50),
    "events of one kind": lambda store: store.listing.events(
        BUILD, None, 50, condition=parse("type = TASK_FAILED", EVENT_FIELDS)
    ),
    "events of a workspace": lambda store: store.logs.events(WORKSPACE, LogPlace(1), 100, 50),
    "rejected events": lambda store: store.rejected.page(WORKSPACE, None, 50, None),
    "states": lambda store: store.listing.task_states(BUILD, None, 50),
    "graph": lambda store: store.queries.edges(BUILD, 10),
    "analysis": lambda store: store.history.nodes(BUILD),
    "failures": lambda store: store.history.failures(BUILD),
    "waits": lambda store: store.history.waits(BUILD, [1]),
    "states of some": lambda store: store.history.states(BUILD, [1, 2]),
    "several tasks": lambda store: store.history.tasks(WORKSPACE, [TASK]),
    "history": lambda store: store.history.task_history(WORKSPACE, TASK, None, 50),
    "lineage up": lambda store: store.history.lineage(WORKSPACE, TASK, True, 0, 100),
    "lineage down": lambda store: store.history.lineage(WORKSPACE, TASK, False, 0, 100),
    "lineage's edges": lambda store: store.history.edges_among([1, 2]),
    "runs": lambda store: store.history.runs(WORKSPACE, TASK),
    "runs of the type": lambda store: store.history.earlier_tasks_of_type(WORKSPACE, TASK, 1, 1),
}


def reader(url: sa.URL) -> Store:
    """Return a store whose reads are those of a caller: policies hold on PostgreSQL."""
    return Store(url, lambda: WORKSPACE)


@pytest.fixture
async def filled(database_url: sa.URL) -> AsyncIterator[Store]:
    store = reader(database_url)
    make = Producer()
    assert await store.workspace() == WORKSPACE
    stream = await store.open_stream(WORKSPACE, make.stream, make.open)
    events = [make.started(), *make.run("a"), make.pending("b", ["a"]), make.completed()]
    await store.commit([Batch(WORKSPACE, stream, 1, events)])
    yield store
    await store.close()


async def plans(store: Store, query: Query, avoid_scans: bool = False) -> list[str]:
    """Run the query; return the plans of what it asked the database, a line an element.

    With `avoid_scans` PostgreSQL scans only where it has no other way.
    """
    asked: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    database = store._database
    engine = database._reader.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    await query(store)
    event.remove(engine, "before_cursor_execute", note)
    lines: list[str] = []
    async with database.read_all() as connection:
        if database.postgres and avoid_scans:
            for way in ("seqscan", "material"):
                await connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
        explain = "EXPLAIN" if database.postgres else "EXPLAIN QUERY PLAN"
        for statement, parameters in asked:
            if "set_config" in statement:
                await connection.exec_driver_sql(statement, parameters)
            elif statement.startswith("SELECT"):
                rows = await connection.exec_driver_sql(f"{explain} {statement}", parameters)
                lines += [str(row[-1]) for row in rows]
    return lines


def scans(lines: Iterable[str]) -> list[str]:
    """Return the lines of a plan that read a large table from one end to the other."""
    return [
        line
        for line in lines
        if (found := re.search(r"Seq Scan on (\w+)|^SCAN (?:TABLE )?(\w+)(?! USING)", line))
        and re.sub(r"_\d+.*", "", found[1] or found[2]) in LARGE
    ]


@pytest.mark.parametrize("name", QUERIES)
async def test_no_query_scans_a_table(filled: Store, name: str):
    lines = await plans(filled, QUERIES[name], avoid_scans=True)
    assert lines
    assert not scans(lines), "\n".join(lines)


async def test_a_rare_parameter_is_found_by_its_index_on_postgresql(postgres_url: sa.URL):
    store = reader(postgres_url)
    rows = sa.text(
        "INSERT INTO tasks (workspace_id, uuid, create_time, name, identity_json, params)"
        " SELECT :workspace, gen_random_uuid(), n, 'T', '', jsonb_build_object('lr', n)"
        " FROM generate_series(1, 10000) AS series(n)"
    )
    given = {"workspace": await store.workspace()}
    async with store._database.write() as connection:
        await connection.execute(rows, given)
        await connection.execute(sa.text("ANALYZE tasks"))
    lines = await plans(store, tasks("params.lr = 77"))
    assert any("ix_tasks_params" in line for line in lines), "\n".join(lines)
    await store.close()


async def test_a_scan_would_be_seen(filled: Store):
    async def scan(store: Store) -> None:
        async with store._database.read_all() as connection:
            await connection.execute(sa.text("SELECT name FROM tasks WHERE output_uri = 'x'"))

    assert scans(await plans(filled, scan))
