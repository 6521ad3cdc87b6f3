"""Connections: one transaction at a time to write with, many to read."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from stardag_server.domain.refusals import StorageUnavailable

_CONNECT_TIMEOUT = 5
_STATEMENT_TIMEOUT = 30
_SQLITE_BUSY_TIMEOUT_MS = 10_000
_SQLITE_READERS = 4
_POSTGRES_POOL = 8

# Connection faults, resources exhausted, shutting or starting: not the statement's fault.
_PASSING_SQLSTATES = ("08", "53", "57P")
_PASSING_SQLITE = (
    "database is locked",
    "unable to open database",
    "disk i/o error",
    "database or disk is full",
    "attempt to write a readonly database",
)


class Database:
    """One database, PostgreSQL or SQLite by its URL.

    Both kinds of transaction raise StorageUnavailable when the database does
    not answer, which passes; a later call connects anew by itself.
    """

    def __init__(self, url: sa.URL) -> None:
        self.postgres = url.get_backend_name() == "postgresql"
        if self.postgres:
            self._writer = self._reader = _postgres_engine(url)
        else:
            self._writer = _sqlite_engine(url, connections=1, begin="BEGIN IMMEDIATE")
            self._reader = _sqlite_engine(url, connections=_SQLITE_READERS, begin="BEGIN")

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that commits at the end of the block, unless it raises."""
        with _translated_faults():
            async with self._writer.begin() as connection:
                yield connection

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction to read in."""
        with _translated_faults():
            async with self._reader.connect() as connection:
                yield connection

    async def close(self) -> None:
        """Close all connections."""
        await self._writer.dispose()
        await self._reader.dispose()


def is_passing(error: BaseException) -> bool:
    """Tell whether the error says that the database is away, rather than that it refuses."""
    if isinstance(error, OSError | TimeoutError | sa.exc.TimeoutError):
        return True
    if isinstance(error, sa.exc.DBAPIError):
        if error.connection_invalidated:
            return True
        state: object = getattr(error.orig, "sqlstate", None)
        if isinstance(state, str):
            return state.startswith(_PASSING_SQLSTATES)
        text = str(error.orig).lower()
        return "connection is closed" in text or any(part in text for part in _PASSING_SQLITE)
    if isinstance(error, asyncpg.PostgresError):
        return str(error.sqlstate).startswith(_PASSING_SQLSTATES)
    return isinstance(error, asyncpg.InterfaceError) and "closed" in str(error)


@contextlib.contextmanager
def _translated_faults() -> Any:
    try:
        yield
    # A driver raises errors of four unrelated trees when its server is away;
    # whatever is not of those is raised as it is.
    except Exception as error:
        if is_passing(error):
            raise StorageUnavailable from error
        raise


def _postgres_engine(url: sa.URL) -> AsyncEngine:
    return create_async_engine(
        url,
        pool_size=_POSTGRES_POOL,
        max_overflow=_POSTGRES_POOL,
        pool_timeout=_CONNECT_TIMEOUT,
        # A restart of the database leaves dead connections in the pool.
        pool_pre_ping=True,
        connect_args={
            "timeout": _CONNECT_TIMEOUT,
            "command_timeout": _STATEMENT_TIMEOUT,
            "server_settings": {"application_name": "stardag-server", "jit": "off"},
        },
    )


def _sqlite_engine(url: sa.URL, connections: int, begin: str) -> AsyncEngine:
    engine = create_async_engine(
        url, pool_size=connections, max_overflow=0, pool_timeout=_STATEMENT_TIMEOUT
    )

    @sa.event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:  # pyright: ignore[reportUnusedFunction]
        # The driver is to begin no transaction of its own accord: see `start`.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout = {_SQLITE_BUSY_TIMEOUT_MS}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine.sync_engine, "begin")
    def start(connection: sa.Connection) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.exec_driver_sql(begin)

    return engine
