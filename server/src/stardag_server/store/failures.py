"""The failures of a build's tasks, as a table that conditions can ask.

They are stored whole, each a message with its stack trace, which no database reads. So what
can be asked for is read from them, and given back to the database with the query.
"""

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from stardag.v1.task_pb2 import TaskFailure
from stardag_server.store.schema import BuildTask, plain

Failure = tuple[int, str, str]
"""The ordinal of the task, and the kind and message of its failure."""

_ROWS_AT_ONCE = 1_000


async def read_failures(connection: AsyncConnection, build: int) -> list[Failure]:
    """Return the failures of a build."""
    query = sa.select(BuildTask.ordinal, BuildTask.failure).where(
        BuildTask.build_id == build, BuildTask.failure.is_not(None)
    )
    failures: list[Failure] = []
    # Stack traces of many tasks are more than memory should hold at once.
    async for row in await connection.stream(query.execution_options(yield_per=_ROWS_AT_ONCE)):
        failure = TaskFailure.FromString(row.failure)
        failures.append((row.ordinal, plain(failure.kind), plain(failure.message)))
    return failures


def postgres_table(failures: Sequence[Failure]) -> sa.Subquery:
    """Return a table of `ordinal`, `kind` and `message` that has these failures."""
    ordinals, kinds, messages = zip(*failures, strict=True) if failures else ((), (), ())
    table = sa.func.unnest(
        sa.literal([*ordinals], ARRAY(sa.BigInteger)),
        sa.literal([*kinds], ARRAY(sa.Text)),
        sa.literal([*messages], ARRAY(sa.Text)),
    ).table_valued(*_columns())
    return sa.select(*table.render_derived().c).subquery()


def sqlite_table(failures: Sequence[Failure]) -> sa.Subquery:
    """Return a table of `ordinal`, `kind` and `message` that has these failures."""
    rows: Any = sa.func.json_each(json.dumps(failures)).table_valued(sa.column("value", sa.Text))
    fields = [
        sa.func.json_extract(rows.c.value, f"$[{index}]", type_=column.type).label(column.name)
        for index, column in enumerate(_columns())
    ]
    return sa.select(*fields).subquery()


def _columns() -> list[sa.ColumnClause[Any]]:
    return [
        sa.column("ordinal", sa.BigInteger),
        sa.column("kind", sa.Text),
        sa.column("message", sa.Text),
    ]
