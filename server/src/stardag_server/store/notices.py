"""Notices between the processes that share a database: something was committed."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from stardag_server.repeating import repeatedly
from stardag_server.store.database import Database

_CHANNEL = "stardag_commits"
_RETRY = 1.0
_IDLE = 30.0
"""Seconds after which a notice is sent without need: to find out that a connection is dead."""


class Notices:
    """Tells other processes that there is news, and hears it from them, on PostgreSQL.

    A notice says no more than that, may be lost, and stands for all that was to be told while the
    one before was on its way. It is sent after the commit, not with it: PostgreSQL lets only one
    transaction at a time commit that sends any.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._due = asyncio.Event()

    def tell(self) -> None:
        """Have the others told that something was committed."""
        self._due.set()

    async def run(self, heard: Callable[[], None]) -> None:
        """Send and hear notices, until cancelled; call `heard` when there may be news.

        On SQLite there are none.
        """
        if self._database.postgres:
            await repeatedly(
                "tell other servers what is committed, or hear of it",
                lambda: self._exchange(heard),
                _RETRY,
                first=0,
            )

    async def _exchange(self, heard: Callable[[], None]) -> None:
        """Send and hear notices until the connection is lost. Raises StorageUnavailable then."""
        async with self._database.read() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            own = driver.get_server_pid()

            def hear(_connection: object, sender: int, *_about: object) -> None:
                if sender != own:
                    heard()

            def lost(_connection: object) -> None:
                # What is sent next fails.
                self._due.set()

            driver.add_termination_listener(lost)
            try:
                await driver.add_listener(_CHANNEL, hear)
                # Whatever was told while we did not listen.
                heard()
                while True:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_IDLE):
                            await self._due.wait()
                    self._due.clear()
                    await driver.execute(f"NOTIFY {_CHANNEL}")
            finally:
                # Nobody else is to get a connection that listens.
                await connection.invalidate()
