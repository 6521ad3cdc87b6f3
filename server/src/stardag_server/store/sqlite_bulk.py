"""Many rows at once on SQLite: the driver's executemany, and JSON arrays."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import InstrumentedAttribute

from stardag_server.store.bulk import (
    NEXT_COMMIT,
    Append,
    Change,
    LogCommit,
    Merge,
    Row,
    Write,
    conflict_sql,
    insert_sql,
)
from stardag_server.store.schema import Base


@dataclass(frozen=True)
class SqliteBulk:
    """See Bulk."""

    def id(self, raw: bytes) -> Any:
        """See Bulk."""
        return raw.hex()

    def raw_id(self, stored: Any) -> bytes:
        """See Bulk."""
        return bytes.fromhex(stored)

    def among(
        self, column: InstrumentedAttribute[Any], values: Sequence[Any]
    ) -> sa.ColumnElement[bool]:
        """See Bulk."""
        return _in_json(column, sa.literal(self.given(values)))

    def among_given(
        self, column: InstrumentedAttribute[Any], parameter: str
    ) -> sa.ColumnElement[bool]:
        """See Bulk."""
        return _in_json(column, sa.bindparam(parameter, type_=sa.Text))

    def given(self, values: Iterable[Any]) -> Any:
        """See Bulk."""
        return json.dumps([value.hex if isinstance(value, UUID) else value for value in values])

    async def write(self, connection: AsyncConnection, writes: Sequence[Write]) -> None:
        """See Bulk."""
        raw = (await connection.get_raw_connection()).driver_connection
        assert raw is not None
        for write in writes:
            if isinstance(write, LogCommit):
                await _run(raw, NEXT_COMMIT.format("?"), [(write.workspace,)])
                rows = [(write.workspace, write.workspace, *row) for row in write.rows]
                await _run(raw, _LOG_RANGES, rows)
            else:
                await _run(raw, _sql(write), write.rows)

    async def create(self, connection: AsyncConnection, merge: Merge) -> Sequence[tuple[Any, int]]:
        """See Bulk. Nobody else writes meanwhile, so all are inserted, with the next keys."""
        table, columns = merge.table, merge.columns
        last = await connection.exec_driver_sql(f"SELECT max(id) FROM {table.__tablename__}")
        first = (last.scalar_one() or 0) + 1
        numbered = [(id, *row) for id, row in enumerate(merge.rows, first)]
        await self.write(connection, [Append(table, ("id", *columns), numbered)])
        uuid = columns.index("uuid")
        return [(row[uuid], id) for id, row in enumerate(merge.rows, first)]


def _in_json(
    column: InstrumentedAttribute[Any], values: sa.BindParameter[str]
) -> sa.ColumnElement[bool]:
    each = sa.func.json_each(values).table_valued("value")
    return column.in_(sa.select(each.c.value))


_LOG_RANGES = (
    "INSERT INTO committed_ranges (workspace_id, number, build_id, first_position, last_position)"
    " VALUES (?, (SELECT head FROM workspace_logs WHERE workspace_id = ?), ?, ?, ?)"
)


async def _run(raw: Any, statement: str, rows: Sequence[Row]) -> None:
    # Through SQLAlchemy it would be four trips to the driver's thread.
    try:
        await raw.executemany(statement, rows)
    except sqlite3.Error as error:
        raise DBAPIError.instance(
            statement, None, error, sqlite3.Error, hide_parameters=True
        ) from error


def _sql(write: Append | Change | Merge) -> str:
    if isinstance(write, Change):
        return _update_sql(write.table, write.columns, write.key)
    insert = insert_sql(write.table, write.columns, _values(len(write.columns)))
    if isinstance(write, Append):
        return insert
    return insert + conflict_sql(write.table, write.key, write.update, write.only_if_null)


@lru_cache
def _values(count: int) -> str:
    return f"VALUES ({', '.join('?' * count)})"


@lru_cache
def _update_sql(table: type[Base], columns: tuple[str, ...], key: tuple[str, ...]) -> str:
    # A parameter's number is its column's, wherever it stands.
    given = {name: f"{name} = ?{number}" for number, name in enumerate(columns, 1)}
    changes = ", ".join(given[name] for name in columns if name not in key)
    same = " AND ".join(given[name] for name in key)
    return f"UPDATE {table.__tablename__} SET {changes} WHERE {same}"
