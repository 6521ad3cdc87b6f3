"""Connections: one transaction at a time to write with, many to read."""

import contextlib
import functools
import sqlite3
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

import asyncpg
import sqlalchemy as sa
from pydantic_core import from_json
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, DisconnectionError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from stardag_server.domain.refusals import StorageUnavailable

_CONNECT_TIMEOUT = 5
_STATEMENT_TIMEOUT = 30
_SQLITE_BUSY_TIMEOUT_MS = 10_000
_SQLITE_READERS = 4
# The pages of a group commit do not fit into the 2 MiB that are usual.
_SQLITE_WRITER_CACHE_KIB = 32 << 10
_SQLITE_READER_CACHE_KIB = 2 << 10
_POSTGRES_POOL = 8
_TRUSTED_REST = 0.05
"""Seconds of rest after which a connection is asked whether it lives."""
_RESTED_SINCE = "rested_since"

# Connection faults, a standby, resources exhausted, an operator's hand.
_PASSING_SQLSTATES = ("08", "25006", "53", "57")
# Cardinality, data, constraints, limits of a row.
_DATA_SQLSTATES = ("21", "22", "23", "54")
DEADLOCK_SQLSTATES = ("40001", "40P01")
"""Of a transaction that was rolled back for another, and may be done again."""
_PASSING_TEXTS = (
    "connection is closed",
    "database is locked",
    "unable to open database",
    "disk i/o error",
    "database or disk is full",
    "attempt to write a readonly database",
)

READER = "stardag_reader"
"""The role under which PostgreSQL shows a read the rows of one workspace alone."""
_AS_READER = sa.text(
    f"SELECT set_config('role', '{READER}', true),"
    " set_config('stardag.workspace', :workspace, true)"
)

# The trees in which the drivers raise.
_FAULTS = (OSError, DBAPIError, PoolTimeout, asyncpg.PostgresError, asyncpg.InterfaceError)


class Database:
    """One database, PostgreSQL or SQLite by its URL.

    Both kinds of transaction raise StorageUnavailable when the database does
    not answer, which passes; a later call connects anew by itself. A restart of
    the database shows so at most once for each connection that was in use just before.

    `reader` returns the key of the workspace for which there is something to read now, None
    if it is for the server itself.
    """

    def __init__(self, url: sa.URL, reader: Callable[[], int | None] = lambda: None) -> None:
        self._reading_for = reader
        self.postgres = url.get_backend_name() == "postgresql"
        self.insert = postgresql.insert if self.postgres else sqlite.insert
        """Makes an INSERT that can say what to do where there is such a row."""
        if self.postgres:
            self._writer = self._reader = _postgres_engine(url)
        else:
            self._writer = _sqlite_engine(
                url, connections=1, begin="BEGIN IMMEDIATE", cache_kib=_SQLITE_WRITER_CACHE_KIB
            )
            self._reader = _sqlite_engine(
                url,
                connections=_SQLITE_READERS,
                begin="BEGIN",
                cache_kib=_SQLITE_READER_CACHE_KIB,
            )

    def write(self) -> contextlib.AbstractAsyncContextManager[AsyncConnection]:
        """Open a transaction that commits at the end of the block, unless it raises."""
        return _transaction(self._writer.begin())

    def read(self) -> contextlib.AbstractAsyncContextManager[AsyncConnection]:
        """Open a transaction to read in, for a workspace or for the server itself.

        For a workspace, PostgreSQL shows no row of another one, whatever is asked.
        """
        workspace = self._reading_for() if self.postgres else None
        return self.read_all() if workspace is None else self._read_for(workspace)

    def read_all(self) -> contextlib.AbstractAsyncContextManager[AsyncConnection]:
        """Open a transaction to read in what is not of one workspace."""
        return _transaction(self._reader.connect())

    @contextlib.asynccontextmanager
    async def _read_for(self, workspace: int) -> AsyncGenerator[AsyncConnection]:
        async with self.read_all() as connection:
            await connection.execute(_AS_READER, {"workspace": str(workspace)})
            yield connection

    async def close(self) -> None:
        """Close all connections."""
        for engine in (self._writer, self._reader):
            await engine.dispose()


def clock(connection: AsyncConnection) -> sa.ColumnElement[int]:
    """Return the time now, in microseconds since the Unix epoch, as all replicas see it."""
    return clock_of(connection.dialect.name)


def clock_of(dialect: str) -> sa.ColumnElement[int]:
    """Return the same for a statement that is kept: the time when it is executed."""
    if dialect == "postgresql":
        return sa.cast(sa.extract("epoch", sa.func.clock_timestamp()) * 1_000_000, sa.BigInteger)
    return sa.bindparam(
        None, unique=True, type_=sa.BigInteger, callable_=lambda: time.time_ns() // 1_000
    )


def sqlstate(error: BaseException) -> str | None:
    """Return the error code of PostgreSQL in this error, however the drivers wrap it."""
    original = error.orig if isinstance(error, DBAPIError) else error
    state: object = getattr(original, "sqlstate", None)
    return state if isinstance(state, str) else None


def lacks_partition(error: BaseException) -> bool:
    """Tell whether the error says that there is no partition for a row that was to be stored."""
    original = error.orig.__cause__ if isinstance(error, DBAPIError) and error.orig else error
    # PostgreSQL has one code for this and for a check of a table, which has a name.
    constraint: object = getattr(original, "constraint_name", None)
    return isinstance(original, asyncpg.CheckViolationError) and constraint is None


def is_passing(error: BaseException) -> bool:
    """Tell whether the error says that the database is away, rather than that it refuses."""
    if isinstance(error, OSError | TimeoutError | PoolTimeout):
        return True
    if (state := sqlstate(error)) is not None:
        return state.startswith(_PASSING_SQLSTATES)
    if isinstance(error, DBAPIError):
        text = str(error.orig).lower()
        return error.connection_invalidated or any(part in text for part in _PASSING_TEXTS)
    return isinstance(error, asyncpg.InterfaceError) and "closed" in str(error)


def may_be_poison(error: BaseException) -> bool:
    """Tell whether the error may be the fault of what was to be stored.

    A missing table, a lack of rights or of space never is; an error that is not
    the database's may be.
    """
    if (state := sqlstate(error)) is not None:
        return state.startswith(_DATA_SQLSTATES) and not lacks_partition(error)
    return isinstance(error, DataError | IntegrityError) or not isinstance(
        error, (*_FAULTS, StorageUnavailable)
    )


@contextlib.asynccontextmanager
async def _transaction(
    opening: contextlib.AbstractAsyncContextManager[AsyncConnection],
) -> AsyncGenerator[AsyncConnection]:
    async with contextlib.AsyncExitStack() as stack:
        try:
            connection = await stack.enter_async_context(opening)
        except _FAULTS as error:
            # Whatever keeps us from connecting is no fault of what is to be done.
            raise StorageUnavailable from error
        try:
            yield connection
            # The commit, with its faults, belongs to this block.
            await stack.aclose()
        except _FAULTS as error:
            if is_passing(error):
                raise StorageUnavailable from error
            raise


def _postgres_engine(url: sa.URL) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=_POSTGRES_POOL,
        max_overflow=_POSTGRES_POOL,
        pool_timeout=_CONNECT_TIMEOUT,
        # So that the connection that rested least is the next.
        pool_use_lifo=True,
        hide_parameters=True,
        json_deserializer=from_json,
        connect_args={
            "timeout": _CONNECT_TIMEOUT,
            "command_timeout": _STATEMENT_TIMEOUT,
            "server_settings": {"application_name": "stardag-server", "jit": "off"},
        },
    )
    event.listen(engine.sync_engine, "checkin", _note_rest)
    event.listen(engine.sync_engine, "checkout", functools.partial(_ping_rested, engine.dialect))
    return engine


def _note_rest(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info[_RESTED_SINCE] = time.monotonic()


def _ping_rested(
    dialect: sa.Dialect, connection: Any, record: ConnectionPoolEntry, _proxy: object
) -> None:
    """Have the pool replace a connection that rested and is dead, as a restart leaves it.

    To ask each time, as `pool_pre_ping` does, would cost as much as a short query.
    """
    rested_since = record.info.get(_RESTED_SINCE)
    if rested_since is None or time.monotonic() - rested_since < _TRUSTED_REST:
        return
    try:
        dialect.do_ping(connection)
    except Exception as error:
        raise DisconnectionError from error


def _sqlite_engine(url: sa.URL, connections: int, begin: str, cache_kib: int) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=_STATEMENT_TIMEOUT,
        hide_parameters=True,
        json_deserializer=from_json,
    )

    def prepare(connection: Any, _record: object) -> None:
        _prepare_sqlite(connection, cache_kib)

    event.listen(engine.sync_engine, "connect", prepare)

    def start(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine.sync_engine, "begin", start)
    return engine


def _prepare_sqlite(connection: Any, cache_kib: int) -> None:
    # The driver is to begin no transaction of its own accord.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_SQLITE_BUSY_TIMEOUT_MS}")
    _begin_wal(cursor)
    for pragma in (
        "synchronous = FULL",
        "foreign_keys = ON",
        f"cache_size = -{cache_kib}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_wal(cursor: Any) -> None:
    """Have the database keep a write-ahead log.

    The first to ask for it changes the file, and SQLite refuses whoever asks meanwhile at once,
    busy timeout or not: https://sqlite.org/wal.html#sometimes_queries_return_sqlite_busy_in_wal_mode
    """
    deadline = time.monotonic() + _SQLITE_BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)
        else:
            return
