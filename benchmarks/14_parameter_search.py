"""Tasks found by a parameter among 1,000,000: one that few have, none has, half have.

Measured in the server: filter parsed, query, and the response as the bytes that are sent. The
floor is a task read by its id.
"""

from __future__ import annotations

import asyncio
import sys

import sqlalchemy as sa
from figures import Figure, at_most, report
from histories import History, history, milliseconds, scratch, urls

from stardag.v1.registry_service_pb2 import ListTasksResponse
from stardag_server.domain.filter_fields import TASK_FIELDS
from stardag_server.domain.filters import parse
from stardag_server.garbage import collect_seldom
from stardag_server.services.messages import listed_task_message

TASKS = 1_000_000
QUICK_TASKS = 20_000
REACH_MS = 20.0
SEARCHES = {"params.n = 77": 1, 'params.tag = "t77"': 1, "params.n = -1": 0, "params.lr >= 500": 50}
"""What is searched for, and at least how many the page has."""


async def measure(made: History, tasks: int) -> list[Figure]:
    async def floor() -> None:
        await made.read_raw("SELECT * FROM tasks WHERE id = {}", tasks // 2)

    least = await milliseconds(floor)
    figures: list[Figure] = []
    for search, least_found in SEARCHES.items():

        async def find(search: str = search, least_found: int = least_found) -> None:
            condition = parse(search, TASK_FIELDS)
            rows = await made.store.listing.tasks(made.workspace, None, 51, condition=condition)
            response = ListTasksResponse(tasks=[listed_task_message(row) for row in rows[:50]])
            assert len(response.tasks) >= least_found
            response.SerializeToString()

        await find()
        figures.append(
            at_most(
                f"{search} among {tasks:,} tasks, {made.name}",
                await milliseconds(find),
                "ms",
                REACH_MS,
                floor=least,
            )
        )
    return figures


async def run(name: str, url: sa.URL, tasks: int) -> list[Figure]:
    async with history(name, url, tasks=tasks) as made:
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
