"""The states of a build of 10,000 tasks, page by page, and its graph with 20,000 edges.

Measured in the server: queries, and the responses as the bytes that are sent. The graph is streamed
with the states of its tasks. The floor is the same rows read by the database's own driver.

Of 40 ms of Python for the states on PostgreSQL Protobuf takes 21, SQLAlchemy and its driver 9. The
graph takes 9 more for its edges, and waits for its queries. On SQLite ids are text to be parsed,
and rows cross from thread to thread: 25 ms more.
"""

from __future__ import annotations

import asyncio
import sys
from uuid import UUID

import sqlalchemy as sa
from figures import Figure, at_most, report
from histories import History, history, milliseconds, scratch, urls

from stardag.v1.build_service_pb2 import GetBuildGraphRequest, ListTaskStatesRequest
from stardag_server.auth.principal import Principal, let_in
from stardag_server.cancels import Cancels
from stardag_server.garbage import collect_seldom
from stardag_server.services.build_service import BuildService

TASKS = 10_000
QUICK_TASKS = 1_000
STATES_REACH_MS = 50.0
GRAPH_REACH_MS = 40.0
STATES_SQL = (
    "SELECT b.*, t.uuid, t.namespace, t.name FROM build_tasks b JOIN tasks t ON t.id = b.task_id"
    " WHERE b.build_id = {} ORDER BY b.ordinal"
)
EDGES_SQL = (
    "SELECT u.ordinal, d.ordinal FROM build_tasks d"
    " JOIN task_dependencies e ON e.task_id = d.task_id"
    " JOIN build_tasks u ON u.task_id = e.upstream_id AND u.build_id = d.build_id"
    " WHERE d.build_id = {}"
)


async def build_id(made: History) -> str:
    if made.name == "PostgreSQL":
        return str(await made.raw.fetchval("SELECT uuid FROM builds WHERE id = 1"))
    async with made.raw.execute("SELECT uuid FROM builds WHERE id = 1") as cursor:
        [uuid] = await cursor.fetchone()
    return str(UUID(uuid))


async def measure(made: History, tasks: int) -> list[Figure]:
    let_in(Principal(made.workspace, "default", "local", frozenset()))
    service = BuildService(made.store, Cancels(made.store, lambda _: None))
    id = await build_id(made)

    async def states() -> None:
        request = ListTaskStatesRequest(build_id=id, page_size=1_000)
        count = 0
        while True:
            page = await service.list_task_states(request)
            page.SerializeToString()
            count += len(page.task_states)
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
        assert count == tasks

    async def graph() -> None:
        nodes = edges = 0
        async for part in service.get_build_graph(GetBuildGraphRequest(build_id=id)):
            part.SerializeToString()
            nodes += len(part.nodes)
            edges += len(part.edge_upstreams)
        assert nodes == tasks and edges == 2 * tasks - 101

    async def floor_of_states() -> None:
        await made.read_raw(STATES_SQL, 1)

    async def floor_of_graph() -> None:
        await made.read_raw(EDGES_SQL, 1)
        await made.read_raw(STATES_SQL, 1)

    await states()
    return [
        at_most(
            f"{what} of a build of {tasks:,} tasks, {made.name}",
            await milliseconds(work),
            "ms",
            reach,
            floor=await milliseconds(floor),
        )
        for what, work, reach, floor in (
            ("states", states, STATES_REACH_MS, floor_of_states),
            ("graph", graph, GRAPH_REACH_MS, floor_of_graph),
        )
    ]


async def run(name: str, url: sa.URL, tasks: int) -> list[Figure]:
    async with history(name, url, builds=1, tasks=tasks, states=tasks) as made:
        return await measure(made, tasks)


def main() -> None:
    collect_seldom()
    tasks = QUICK_TASKS if "--quick" in sys.argv else TASKS
    with scratch() as folder:
        figures: list[Figure] = []
        for name, url in urls(folder):
            figures += asyncio.run(run(name, url, tasks))
        report(figures)


if __name__ == "__main__":
    main()
