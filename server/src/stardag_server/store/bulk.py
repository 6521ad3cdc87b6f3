"""Many rows in one statement, which each database does in its own way.

Rows are tuples in the order of the table's columns named with them; ids in them
are as `Bulk.id` returns them, JSON is text. All implementations promise the
same; only the time they take differs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import InstrumentedAttribute

from stardag_server.store.schema import Base

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Append:
    """Insert rows that are known to be new."""

    table: type[Base]
    columns: tuple[str, ...]
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Change:
    """Set all these columns in the rows with the same `key`, which this writer has locked."""

    table: type[Base]
    columns: tuple[str, ...]
    rows: Sequence[Row]
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Merge:
    """Insert rows; where one with the same `key` exists, set its `update` columns.

    With `only_if_null`, only where that column of the existing row is null. Rows
    are written, and locked, in the order given, which must be that of the key,
    so that writers who meet wait for each other and never in a circle.
    """

    table: type[Base]
    columns: tuple[str, ...]
    rows: Sequence[Row]
    key: tuple[str, ...]
    update: tuple[str, ...] = ()
    only_if_null: str | None = None


@dataclass(frozen=True, slots=True)
class LogCommit:
    """Number this commit, the next of its workspace, and note what it wrote into builds' logs.

    `rows` has of each build its key, and the first and the last new position. What is written
    after it in the same transaction keeps other commits of the workspace waiting.
    """

    workspace: int
    rows: Sequence[Row]


Write = Append | Change | Merge | LogCommit


class Bulk(Protocol):
    """Statements about many rows at once."""

    def id(self, raw: bytes) -> Any:
        """Return the id with these 16 bytes as the driver takes it fastest."""
        ...

    def raw_id(self, stored: Any) -> bytes:
        """Return the 16 bytes of an id selected by `stored_id`."""
        ...

    def among(
        self, column: InstrumentedAttribute[Any], values: Sequence[Any]
    ) -> sa.ColumnElement[bool]:
        """Return the condition that the column has one of any number of integers or ids."""
        ...

    def among_given(
        self, column: InstrumentedAttribute[Any], parameter: str
    ) -> sa.ColumnElement[bool]:
        """Return the same condition for a statement that is kept, with a parameter of this name."""
        ...

    def given(self, values: Iterable[Any]) -> Any:
        """Return the value of such a parameter."""
        ...

    async def write(self, connection: AsyncConnection, writes: Sequence[Write]) -> None:
        """Do all of this, LogCommit last; none without rows, and no row by two of them.

        Must not be the first statement of its transaction.
        """
        ...

    async def create(self, connection: AsyncConnection, merge: Merge) -> Sequence[tuple[Any, int]]:
        """Insert rows that this transaction looked for by their key and did not find.

        Return `uuid`, as a `stored_id`, and `id` of those inserted; the others
        are there by now, as another writer made them, and are left alone.
        """
        ...


def stored_id(column: InstrumentedAttribute[UUID]) -> sa.ColumnElement[Any]:
    """Return the column of ids so that it is selected as `Bulk.raw_id` takes it."""
    return sa.type_coerce(column, sa.types.NullType())


@lru_cache
def insert_sql(table: type[Base], columns: tuple[str, ...], source: str) -> str:
    """Return the statement that inserts what `source` gives."""
    return f"INSERT INTO {table.__tablename__} ({', '.join(columns)}) {source}"


NEXT_COMMIT = (
    "INSERT INTO workspace_logs (workspace_id, head) VALUES ({}, 1)"
    " ON CONFLICT (workspace_id) DO UPDATE SET head = workspace_logs.head + 1"
)
"""Numbers a commit of the workspace that is put in."""


@lru_cache
def conflict_sql(
    table: type[Base], key: tuple[str, ...], update: tuple[str, ...], only_if_null: str | None
) -> str:
    """Return what an insert is to do about a row with the same key."""
    on_conflict = f" ON CONFLICT ({', '.join(key)}) DO"
    if not update:
        return f"{on_conflict} NOTHING"
    changes = ", ".join(f"{name} = excluded.{name}" for name in update)
    where = f" WHERE {table.__tablename__}.{only_if_null} IS NULL" if only_if_null else ""
    return f"{on_conflict} UPDATE SET {changes}{where}"
