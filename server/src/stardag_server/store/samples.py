"""What occurs in the latest tasks and builds, at a price that does not grow with their number."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from stardag_server.store.database import Database
from stardag_server.store.schema import Build, Task

LATEST_ROWS = 10_000
"""Rows whose texts are counted."""
LATEST_DOCUMENTS = 1_000
"""Rows whose parameters or labels are read."""

_TABLES: dict[str, type[Task] | type[Build]] = {"tasks": Task, "builds": Build}


class Samples:
    """The latest rows of `tasks` or `builds` in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def texts(
        self, workspace: int, table: str, column: str, *, prefix: str, longest: int, limit: int
    ) -> list[tuple[str, int]]:
        """Return texts of a column with this prefix, and how often each occurs: most often first.

        Texts that are empty, or have more characters than `longest`, are left out.
        """
        latest = self._latest(workspace, table, column, LATEST_ROWS).subquery()
        text = latest.c[column]
        query = (
            sa.select(text, sa.func.count())
            .where(
                sa.func.length(text).between(1, longest),
                sa.func.substr(text, 1, len(prefix)) == prefix,
            )
            .group_by(text)
            .order_by(sa.func.count().desc(), text)
            .limit(limit)
        )
        async with self._database.read() as connection:
            return [(found, count) for found, count in await connection.execute(query)]

    async def documents(self, workspace: int, table: str, column: str) -> Sequence[Any]:
        """Return the JSON of a column."""
        query = self._latest(workspace, table, column, LATEST_DOCUMENTS)
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalars().all()

    def _latest(
        self, workspace: int, table: str, column: str, rows: int
    ) -> sa.Select[*tuple[Any, ...]]:
        model = _TABLES[table]
        return (
            sa.select(model.__table__.c[column])
            .where(model.workspace_id == workspace)
            .order_by(model.id.desc())
            .limit(rows)
        )
