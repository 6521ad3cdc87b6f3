"""The monthly partitions of the log on PostgreSQL."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

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
        if not self._database.postgres:
            return
        now = datetime.now(UTC)
        months = {(at.year, at.month) for at in (now - _MARGIN, now, now + _MARGIN)}
        missing = months - self._present
        if not missing:
            return
        async with self._database.write() as connection:
            await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            for year, month in sorted(missing):
                await connection.execute(sa.text(_create(year, month)))
        self._present |= missing


def _create(year: int, month: int) -> str:
    begin = datetime(year, month, 1, tzinfo=UTC)
    end = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    low, high = (int(at.timestamp()) * 1_000_000 for at in (begin, end))
    table = Event.__tablename__
    return (
        f"CREATE TABLE IF NOT EXISTS {table}_{year:04}_{month:02}"
        f" PARTITION OF {table} FOR VALUES FROM ({low}) TO ({high})"
    )
