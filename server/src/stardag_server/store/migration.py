"""Bringing a database to the schema this code knows."""

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

import stardag_server
from stardag_server.store.database import DEADLOCK_SQLSTATES, Database, sqlstate
from stardag_server.store.readers import ensure_reader

NEWEST = "b259f75d4d7b"
"""The newest revision in the folder of the migrations."""

_LOCK = 0x5354_4152_0001
_TRIES = 10


class DatabaseNewer(Exception):
    """The database is at a revision that this code does not know."""

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"the database is at revision {revision}, which this version of stardag-server"
            " does not know: it was migrated by a newer one. Install that version or a later one"
        )


def scripts() -> Path:
    """Return the folder of the migrations: in the wheel, or in the repository."""
    package = Path(stardag_server.__file__).parent
    shipped = package / "migrations"
    return shipped if shipped.is_dir() else package.parents[2] / "migrations"


async def migrate(url: sa.URL) -> str:
    """Bring the database to the newest schema and return its revision; make the file of SQLite.

    Any number of processes may do so at once. Raises DatabaseNewer, ReaderMissing, and
    StorageUnavailable if the database does not answer; then nothing is changed.
    """
    if url.get_backend_name() == "sqlite":
        Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = Database(url)
    try:
        for left in reversed(range(_TRIES)):
            try:
                async with database.write() as connection:
                    return await connection.run_sync(_upgrade)
            except DBAPIError as error:
                # Servers that commit meanwhile lock tables in another order.
                if sqlstate(error) not in DEADLOCK_SQLSTATES or not left:
                    raise
        raise AssertionError("the last try returns or raises")
    finally:
        await database.close()


def schema_problem(connection: sa.Connection) -> str | None:
    """Return in what the schema is not the one that this code knows, if it isn't."""
    current = _revision(connection)
    if current == NEWEST:
        return None
    return (
        f"its schema is at revision {current}, that of this version is {NEWEST};"
        " bring it there by `stardag-server migrate`"
    )


def _revision(connection: sa.Connection) -> str | None:
    """Return the revision that the database is at; None if it is empty."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def _upgrade(connection: sa.Connection) -> str:
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    if (current := _revision(connection)) != NEWEST:
        _run_migrations(connection, current)
    if connection.dialect.name == "postgresql":
        # Roles are of a cluster: a database that was restored elsewhere comes without.
        ensure_reader(connection)
    return NEWEST


def _run_migrations(connection: sa.Connection, current: str | None) -> None:
    # Eleven megabytes that a server whose database is up to date does not need.
    import alembic.command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(scripts()).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {one.revision for one in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise DatabaseNewer(current)
    alembic.command.upgrade(config, NEWEST)
