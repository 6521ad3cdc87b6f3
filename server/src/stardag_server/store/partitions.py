"""The monthly partitions of the log on PostgreSQL."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from stardag_server.store.database import Database
from stardag_server.store.schema import Event

NAME_PATTERN = r"events_\d{4}_\d{2}"
"""What a partition's name matches."""

_LOCK = 0x5354_4152_0002
_MARGIN = timedelta(days=1)


class EventPartitions:
    """Sees to it that what is committed now has a partition to go to.

    Any number of processes may do so at once. On SQLite, which has no
    partitions, it does nothing.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._present: set[tuple[int, int]] = set()

    async def ensure(self) -> None:
        """Create what is missing for commits from a day ago to a day ahead.

        The day covers clocks that differ between this process and the database.
        """
        now = datetime.now(UTC)
        missing = {_month(at) for at in (now - _MARGIN, now, now + _MARGIN)} - self._present
        if missing:
            await self._create(missing)
            self._present |= missing

    async def ensure_for(self, moments: Iterable[datetime]) -> None:
        """Create what is missing for what was committed at these moments, long ago perhaps."""
        await self._create({_month(at) for at in moments})

    async def _create(self, months: set[tuple[int, int]]) -> None:
        if not self._database.postgres:
            return
        async with self._database.write() as connection:
            await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            for year, month in sorted(months):
                await connection.execute(sa.text(_creation(year, month)))

    async def drop_before(self, moment: int) -> None:
        """Drop the months that ended before this moment, and are not of these days.

        `moment` is in microseconds since the Unix epoch.
        """
        if not self._database.postgres:
            return
        bound = min(datetime.fromtimestamp(moment / 1_000_000, UTC), datetime.now(UTC) - _MARGIN)
        async with self._database.write() as connection:
            for table in await self._ended(connection, bound):
                await connection.execute(sa.text(f"DROP TABLE {table}"))

    async def drop_empty(self) -> None:
        """Drop the months without events that are not of these days."""
        if not self._database.postgres:
            return
        async with self._database.write() as connection:
            for table in await self._ended(connection, datetime.now(UTC) - _MARGIN):
                any_event = sa.text(f"SELECT 1 FROM {table} LIMIT 1")
                if (await connection.execute(any_event)).first() is None:
                    await connection.execute(sa.text(f"DROP TABLE {table}"))

    async def _ended(self, connection: AsyncConnection, bound: datetime) -> list[str]:
        """Return the partitions of months before that of `bound`; nobody else drops them."""
        await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        tables = await connection.execute(
            sa.text("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        )
        first_kept = _name(bound.year, bound.month)
        return [
            table
            for table in sorted(tables.scalars())
            if re.fullmatch(NAME_PATTERN, table) and table < first_kept
        ]


def _month(moment: datetime) -> tuple[int, int]:
    return moment.year, moment.month


def _creation(year: int, month: int) -> str:
    begin = datetime(year, month, 1, tzinfo=UTC)
    end = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    low, high = (int(at.timestamp()) * 1_000_000 for at in (begin, end))
    return (
        f"CREATE TABLE IF NOT EXISTS {_name(year, month)}"
        f" PARTITION OF {Event.__tablename__} FOR VALUES FROM ({low}) TO ({high})"
    )


def _name(year: int, month: int) -> str:
    """Return a partition's name; their order is that of the months."""
    return f"{Event.__tablename__}_{year:04}_{month:02}"
