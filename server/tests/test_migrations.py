"""The schema: up, down and up again; what the models say; who may be newer."""

import asyncio
import subprocess
import sys
from pathlib import Path

import alembic.command
import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory
from server_process import run_command
from sqlalchemy.ext.asyncio import create_async_engine

from stardag_server.store.migration import NEWEST, DatabaseNewer, migrate, scripts


def run_alembic(monkeypatch: pytest.MonkeyPatch, url: sa.URL, command: str, *args: str) -> None:
    monkeypatch.setenv("STARDAG_SERVER_DATABASE_URL", url.render_as_string(hide_password=False))
    config = Config(str(scripts() / "alembic.ini"))
    getattr(alembic.command, command)(config, *args)


def tables(url: sa.URL) -> set[str]:
    async def inspect() -> set[str]:
        engine = create_async_engine(url)
        async with engine.connect() as connection:
            names = await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names())
        await engine.dispose()
        return set(names)

    return asyncio.run(inspect())


def execute(url: sa.URL, statement: str) -> None:
    async def run() -> None:
        engine = create_async_engine(url)
        async with engine.begin() as connection:
            await connection.execute(sa.text(statement))
        await engine.dispose()

    asyncio.run(run())


def test_up_down_and_up_again(monkeypatch: pytest.MonkeyPatch, empty_database_url: sa.URL):
    run_alembic(monkeypatch, empty_database_url, "upgrade", "head")
    full = tables(empty_database_url)
    assert {"workspaces", "builds", "tasks", "events", "streams"} <= full
    run_alembic(monkeypatch, empty_database_url, "downgrade", "base")
    assert tables(empty_database_url) == {"alembic_version"}
    run_alembic(monkeypatch, empty_database_url, "upgrade", "head")
    assert tables(empty_database_url) == full


def test_the_models_say_what_the_migrations_made(
    monkeypatch: pytest.MonkeyPatch, database_url: sa.URL
):
    run_alembic(monkeypatch, database_url, "check")


def test_partitions_are_no_change_of_the_schema(
    monkeypatch: pytest.MonkeyPatch, postgres_url: sa.URL
):
    execute(
        postgres_url,
        "CREATE TABLE events_2024_01 PARTITION OF events FOR VALUES FROM (0) TO (1)",
    )
    run_alembic(monkeypatch, postgres_url, "check")


async def test_several_processes_may_migrate_at_once(empty_database_url: sa.URL):
    revisions = await asyncio.gather(*(migrate(empty_database_url) for _ in range(12)))
    assert len(set(revisions)) == 1


def test_a_newer_database_is_refused(database_url: sa.URL, tmp_path: Path):
    execute(database_url, "UPDATE alembic_version SET version_num = 'f00f00f00f00'")
    with pytest.raises(DatabaseNewer):
        asyncio.run(migrate(database_url))
    url = database_url.render_as_string(hide_password=False)
    ended = run_command("--database-url", url, "--data-dir", str(tmp_path), "--port", "0")
    assert ended.returncode == 3
    [line] = [line for line in ended.stderr.splitlines() if "stardag-server: " in line]
    assert "f00f00f00f00" in line and "newer" in line
    assert "Traceback" not in ended.stderr


def test_migrate_is_a_command(empty_database_url: sa.URL, tmp_path: Path):
    url = empty_database_url.render_as_string(hide_password=False)
    ended = run_command("migrate", "--database-url", url, "--data-dir", str(tmp_path))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("the database is at revision ")
    assert "builds" in tables(empty_database_url)


def test_the_migrations_are_found_in_the_repository():
    assert (scripts() / "env.py").is_file()
    assert [*(scripts() / "versions").glob("*.py")]


def test_the_code_names_the_newest_migration():
    config = Config(str(scripts() / "alembic.ini"))
    assert ScriptDirectory.from_config(config).get_current_head() == NEWEST


def test_a_server_whose_database_is_up_to_date_loads_nothing_that_it_does_not_need(
    sqlite_url: sa.URL,
):
    program = (
        "import asyncio, sys, sqlalchemy as sa, stardag_server.main\n"
        "from stardag_server.store.migration import migrate\n"
        "asyncio.run(migrate(sa.make_url(sys.argv[1])))\n"
        "print({'alembic', 'cryptography', 'jwt', 'opentelemetry.sdk'} & {*sys.modules})"
    )
    command = [sys.executable, "-c", program, sqlite_url.render_as_string()]
    assert subprocess.check_output(command, text=True) == "set()\n"
