"""Many rows in one statement, which each database does in its own way.

Rows are tuples in the order of the table's columns named with them. Both
implementations promise the same; only the time they take differs.
"""

import json
from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import InstrumentedAttribute

from stardag_server.store.schema import Base

Row = tuple[Any, ...]

_COPY_FROM = 200
"""Rows from which COPY is faster than one INSERT."""


class Bulk(Protocol):
    """Statements about many rows at once."""

    def among(
        self, column: InstrumentedAttribute[Any], values: Sequence[Any]
    ) -> sa.ColumnElement[bool]:
        """Return the condition that the column has one of any number of integers or UUIDs."""
        ...

    async def append(
        self,
        connection: AsyncConnection,
        table: type[Base],
        columns: Sequence[str],
        rows: Sequence[Row],
    ) -> None:
        """Insert rows that are known to be new."""
        ...

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
        """Insert rows; where one with the same `key` exists, set its `update` columns.

        With `only_if_null`, only where that column of the existing row is null.
        Rows are written, and locked, in the order given, which must be that of
        the key, so that writers who meet wait for each other and never in a
        circle.
        """
        ...


class PostgresBulk:
    """Arrays unnested by the server, and COPY."""

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
            await connection.execute(
                postgresql.insert(table).from_select(columns, _unnested(table, columns, rows))
            )
            return
        raw = (await connection.get_raw_connection()).driver_connection
        # SQLAlchemy begins lazily: before its first statement, COPY would commit by itself.
        assert raw is not None and raw.is_in_transaction()
        await raw.copy_records_to_table(table.__tablename__, records=rows, columns=columns)

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
        insert = postgresql.insert(table).from_select(columns, _unnested(table, columns, rows))
        if update:
            insert = insert.on_conflict_do_update(
                index_elements=key,
                set_={name: insert.excluded[name] for name in update},
                where=_null_condition(table, only_if_null),
            )
        else:
            insert = insert.on_conflict_do_nothing(index_elements=key)
        await connection.execute(insert)


class SqliteBulk:
    """The driver's executemany, and JSON arrays."""

    def among(
        self, column: InstrumentedAttribute[Any], values: Sequence[Any]
    ) -> sa.ColumnElement[bool]:
        """See Bulk."""
        texts = [value.hex if isinstance(value, UUID) else value for value in values]
        each = sa.func.json_each(json.dumps(texts)).table_valued("value")
        return column.in_(sa.select(each.c.value))

    async def append(
        self,
        connection: AsyncConnection,
        table: type[Base],
        columns: Sequence[str],
        rows: Sequence[Row],
    ) -> None:
        """See Bulk."""
        await connection.execute(
            sa.insert(table), [dict(zip(columns, row, strict=True)) for row in rows]
        )

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
        insert = sqlite.insert(table)
        if update:
            insert = insert.on_conflict_do_update(
                index_elements=key,
                set_={name: insert.excluded[name] for name in update},
                where=_null_condition(table, only_if_null),
            )
        else:
            insert = insert.on_conflict_do_nothing(index_elements=key)
        await connection.execute(insert, _named(columns, rows))


def _null_condition(table: type[Base], column: str | None) -> sa.ColumnElement[bool] | None:
    return None if column is None else table.__table__.c[column].is_(None)


def _named(columns: Sequence[str], rows: Sequence[Row]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _unnested(
    table: type[Base], columns: Sequence[str], rows: Sequence[Row]
) -> sa.Select[*tuple[Any, ...]]:
    """Return the rows as a query, in their order."""
    types: list[sa.types.TypeEngine[Any]] = [table.__table__.c[name].type for name in columns]
    arrays: list[sa.ColumnElement[Any]] = [
        sa.literal(list(values), sa.ARRAY(kind, dimensions=1))
        for values, kind in zip(zip(*rows, strict=True), types, strict=True)
    ]
    given = sa.func.unnest(*arrays).table_valued(*columns, name="given").render_derived()
    return sa.select(*(given.c[name] for name in columns))
