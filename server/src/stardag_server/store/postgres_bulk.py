"""Many rows at once on PostgreSQL: arrays that the server unnests, and COPY."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from asyncpg.pgproto.pgproto import UUID as DriverId
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import InstrumentedAttribute

from stardag_server.store.bulk import Row, conflict_sql, insert_sql
from stardag_server.store.schema import Base

_COPY_FROM = 200
"""Rows from which COPY is faster than one INSERT."""


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

    async def append(
        self,
        connection: AsyncConnection,
        table: type[Base],
        columns: Sequence[str],
        rows: Sequence[Row],
    ) -> None:
        """See Bulk. Must not be the first statement of its transaction."""
        if len(rows) < _COPY_FROM:
            insert = insert_sql(table, columns, f"SELECT * FROM {_given(table, columns)}")
            await connection.exec_driver_sql(insert, _arrays(rows))
            return
        raw = (await connection.get_raw_connection()).driver_connection
        # SQLAlchemy begins lazily: before its first statement, COPY would commit by itself.
        assert raw is not None and raw.is_in_transaction()
        await raw.copy_records_to_table(table.__tablename__, records=rows, columns=columns)

    async def create(
        self,
        connection: AsyncConnection,
        table: type[Base],
        columns: Sequence[str],
        rows: Sequence[Row],
        *,
        key: Sequence[str],
    ) -> list[tuple[Any, int]]:
        """See Bulk."""
        insert = insert_sql(table, columns, f"SELECT * FROM {_given(table, columns)}")
        conflict = conflict_sql(table, key, (), None)
        statement = f"{insert}{conflict} RETURNING uuid, id"
        made = await connection.exec_driver_sql(statement, _arrays(rows))
        return [(uuid, id) for uuid, id in made]

    async def merge(
        self,
        connection: AsyncConnection,
        table: type[Base],
        columns: Sequence[str],
        rows: Sequence[Row],
        *,
        key: Sequence[str],
        update: Sequence[str] = (),
        only_if_null: str | None = None,
    ) -> None:
        """See Bulk."""
        insert = insert_sql(table, columns, f"SELECT * FROM {_given(table, columns)}")
        conflict = conflict_sql(table, key, update, only_if_null)
        await connection.exec_driver_sql(insert + conflict, _arrays(rows))

    async def change(
        self,
        connection: AsyncConnection,
        table: type[Base],
        columns: Sequence[str],
        rows: Sequence[Row],
        *,
        key: Sequence[str],
    ) -> None:
        """See Bulk."""
        await connection.exec_driver_sql(_update_sql(table, columns, key), _arrays(rows))


def _arrays(rows: Sequence[Row]) -> tuple[Sequence[Any], ...]:
    return tuple(zip(*rows, strict=True))


@lru_cache
def _given(table: type[Base], columns: Sequence[str]) -> str:
    """Return the source of the rows in `_arrays`, in their order."""
    dialect = postgresql.dialect()
    arrays = (
        f"${number}::{table.__table__.c[name].type.compile(dialect)}[]"
        for number, name in enumerate(columns, 1)
    )
    return f"unnest({', '.join(arrays)}) AS given ({', '.join(columns)})"


@lru_cache
def _update_sql(table: type[Base], columns: Sequence[str], key: Sequence[str]) -> str:
    changes = ", ".join(f"{name} = given.{name}" for name in columns if name not in key)
    same = " AND ".join(f"{table.__tablename__}.{name} = given.{name}" for name in key)
    return f"UPDATE {table.__tablename__} SET {changes} FROM {_given(table, columns)} WHERE {same}"
