"""Many rows at once on PostgreSQL: COPY, and arrays that the server unnests.

Many rows are copied, into their table or to where a statement takes them from,
as the driver encodes an array at more than the cost of the insert. All else goes
to the server as one statement: a small commit is a few round trips, which is
what its acknowledgement waits for.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from asyncpg.pgproto.pgproto import UUID as DriverId
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import InstrumentedAttribute

from stardag_server.store.bulk import (
    NEXT_COMMIT,
    Append,
    Change,
    LogCommit,
    Merge,
    Write,
    conflict_sql,
    insert_sql,
)
from stardag_server.store.schema import Base

_COPY_FROM = 200
"""Rows from which copying them is faster than an array a column."""


@dataclass(frozen=True)
class PostgresBulk:
    """See Bulk."""

    def id(self, raw: bytes) -> Any:
        """See Bulk."""
        return DriverId(raw)

    def raw_id(self, stored: Any) -> bytes:
        """See Bulk."""
        return stored.bytes

    def among(
        self, column: InstrumentedAttribute[Any], values: Sequence[Any]
    ) -> sa.ColumnElement[bool]:
        """See Bulk."""
        return column == sa.any_(sa.literal(list(values), sa.ARRAY(column.type, dimensions=1)))

    def among_given(
        self, column: InstrumentedAttribute[Any], parameter: str
    ) -> sa.ColumnElement[bool]:
        """See Bulk."""
        array: sa.ARRAY[Any] = sa.ARRAY(column.type, dimensions=1)
        return column == sa.any_(sa.bindparam(parameter, type_=array))

    def given(self, values: Iterable[Any]) -> Any:
        """See Bulk."""
        return list(values)

    async def write(self, connection: AsyncConnection, writes: Sequence[Write]) -> None:
        """See Bulk."""
        parts: list[str] = []
        arrays: list[Any] = []
        for write in writes:
            if isinstance(write, LogCommit):
                # What many rows take long to write must not keep other commits waiting.
                if any(len(other.rows) >= _COPY_FROM for other in writes) and parts:
                    await connection.exec_driver_sql(_together(parts), tuple(arrays))
                    parts, arrays = [], []
                parts += _log_sql(write, len(parts), arrays)
                continue
            if isinstance(write, Append) and len(write.rows) >= _COPY_FROM:
                await _copy(connection, write.table.__tablename__, write)
                continue
            parts.append(_sql(write, await _source(connection, write, arrays)))
        if parts:
            await connection.exec_driver_sql(_together(parts), tuple(arrays))

    async def create(self, connection: AsyncConnection, merge: Merge) -> Sequence[tuple[Any, int]]:
        """See Bulk."""
        arrays: list[Any] = []
        statement = f"{_sql(merge, await _source(connection, merge, arrays))} RETURNING uuid, id"
        made = await connection.exec_driver_sql(statement, tuple(arrays))
        return [(row.uuid, row.id) for row in made]


_Rows = Append | Change | Merge


async def _source(connection: AsyncConnection, write: _Rows, arrays: list[Any]) -> str:
    """Return where the statement is to take the rows from, in their order.

    Few are parameters, added to the `arrays`; many are copied into a temporary
    table, which is empty again when the transaction ends.
    """
    if len(write.rows) < _COPY_FROM:
        arrays += zip(*write.rows, strict=True)
        return _given(write.table, write.columns, len(arrays) - len(write.columns) + 1)
    table = f"{type(write).__name__.lower()}_{write.table.__tablename__}"
    await connection.exec_driver_sql(
        f"CREATE TEMPORARY TABLE IF NOT EXISTS {table} ON COMMIT DELETE ROWS AS"
        f" SELECT {', '.join(write.columns)} FROM {write.table.__tablename__} WITH NO DATA"
    )
    await _copy(connection, table, write)
    return f"{table} AS given"


async def _copy(connection: AsyncConnection, table: str, write: _Rows) -> None:
    raw = (await connection.get_raw_connection()).driver_connection
    # SQLAlchemy begins lazily: before its first statement, COPY would commit by itself.
    assert raw is not None and raw.is_in_transaction()
    await raw.copy_records_to_table(table, records=write.rows, columns=write.columns)


def _together(parts: list[str]) -> str:
    """Return one statement that does all that these do."""
    named = (f"part{number} AS ({part})" for number, part in enumerate(parts[:-1]))
    return f"WITH {', '.join(named)} {parts[-1]}" if len(parts) > 1 else parts[0]


def _log_sql(write: LogCommit, before: int, arrays: list[Any]) -> list[str]:
    """Return two statements, the second of which needs the name that `_together` gives the first.

    `before` is the number of those before them; their parameters are added to the `arrays`.
    """
    arrays += [write.workspace, *zip(*write.rows, strict=True)]
    first = len(arrays) - 2
    given = ", ".join(f"${number}::BIGINT[]" for number in range(first, first + 3))
    number = f"{NEXT_COMMIT.format(f'${first - 1}::BIGINT')} RETURNING workspace_id, head"
    return [
        number,
        "INSERT INTO committed_ranges"
        " (workspace_id, number, build_id, first_position, last_position)"
        f" SELECT part{before}.workspace_id, part{before}.head, given.*"
        f" FROM part{before}, unnest({given}) AS given",
    ]


def _sql(write: _Rows, source: str) -> str:
    if isinstance(write, Change):
        return _update_sql(write.table, write.columns, write.key, source)
    insert = insert_sql(write.table, write.columns, f"SELECT * FROM {source}")
    if isinstance(write, Append):
        return insert
    return insert + conflict_sql(write.table, write.key, write.update, write.only_if_null)


@lru_cache
def _given(table: type[Base], columns: tuple[str, ...], first: int) -> str:
    """Return the source of rows whose columns are arrays, numbered from `first`, in their order."""
    dialect = postgresql.dialect()
    arrays = (
        f"${number}::{table.__table__.c[name].type.compile(dialect)}[]"
        for number, name in enumerate(columns, first)
    )
    return f"unnest({', '.join(arrays)}) AS given ({', '.join(columns)})"


@lru_cache
def _update_sql(
    table: type[Base], columns: tuple[str, ...], key: tuple[str, ...], given: str
) -> str:
    changes = ", ".join(f"{name} = given.{name}" for name in columns if name not in key)
    same = " AND ".join(f"{table.__tablename__}.{name} = given.{name}" for name in key)
    return f"UPDATE {table.__tablename__} SET {changes} FROM {given} WHERE {same}"
