"""A page of 50 builds among 1,000,000, at the beginning and deep in the list.

Measured in the server: the query, and the response as the bytes that are sent. The floor is
the same page read by the database's own driver.
"""

from __future__ import annotations

import asyncio
import sys

import sqlalchemy as sa
from figures import Figure, at_most, report
from histories import History, history, milliseconds, scratch, urls

from stardag.v1.build_service_pb2 import ListBuildsResponse
from stardag_server.garbage import collect_seldom
from stardag_server.services.messages import build_message

BUILDS = 1_000_000
QUICK_BUILDS = 20_000
PAGE = 50
REACH_MS = 1.0


async def measure(made: History, builds: int) -> list[Figure]:
    figures: list[Figure] = []
    for place, after in (("first", None), ("deep", builds // 10)):

        async def page(after: int | None = after) -> None:
            rows = await made.store.listing.builds(made.workspace, after, PAGE + 1)
            response = ListBuildsResponse(builds=[build_message(row) for row in rows[:PAGE]])
            assert len(response.builds) == PAGE
            response.SerializeToString()

        async def floor(after: int | None = after) -> None:
            await made.read_raw(
                "SELECT * FROM builds WHERE workspace_id = {} AND id < {}"
                " ORDER BY id DESC LIMIT 51",
                made.workspace,
                after or builds + 1,
            )

        await page()
        figures.append(
            at_most(
                f"{place} page of {PAGE} builds among {builds:,}, {made.name}",
                await milliseconds(page),
                "ms",
                REACH_MS,
                floor=await milliseconds(floor),
            )
        )
    return figures


async def run(name: str, url: sa.URL, builds: int) -> list[Figure]:
    async with history(name, url, builds=builds) as made:
        return await measure(made, builds)


def main() -> None:
    collect_seldom()
    builds = QUICK_BUILDS if "--quick" in sys.argv else BUILDS
    with scratch() as folder:
        figures: list[Figure] = []
        for name, url in urls(folder):
            figures += asyncio.run(run(name, url, builds))
        report(figures)


if __name__ == "__main__":
    main()
