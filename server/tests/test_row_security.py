"""Row-level security: PostgreSQL shows callers one workspace, whatever a query forgets."""

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
import sqlalchemy as sa
from producer import Producer
from running_server import Refused
from server_process import run_command
from sqlalchemy import event
from sqlalchemy.ext.asyncio import create_async_engine
from test_isolation import LISTS, Two, answers, by_id, two

from stardag_server.domain.batch import Batch
from stardag_server.store.database import READER
from stardag_server.store.migration import migrate
from stardag_server.store.readers import ReaderMissing
from stardag_server.store.schema import Base
from stardag_server.store.store import Store

__all__ = ["two"]

WORKSPACE_OF = {
    table.name: "id" if table.name == "workspaces" else "workspace_id"
    for table in Base.metadata.sorted_tables
    if table.name == "workspaces" or "workspace_id" in table.c
}
"""The tables that know whose a row is, with the column that says so."""


async def execute(url: sa.URL, *statements: str) -> list[Any]:
    """Execute statements one by one; return the rows of the last, if it has any."""
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    rows: list[Any] = []
    async with engine.connect() as connection:
        for statement in statements:
            result = await connection.execute(sa.text(statement))
            rows = [*result.all()] if result.returns_rows else []
    await engine.dispose()
    return rows


async def test_each_table_with_a_workspace_has_a_policy(postgres_url: sa.URL):
    policies = await execute(
        postgres_url,
        "SELECT tablename, cmd, array_to_string(roles, ','), qual FROM pg_policies"
        " JOIN pg_class ON relname = tablename AND relrowsecurity",
    )
    assert {(table, command, role) for table, command, role, _ in policies} == {
        (table, "SELECT", READER) for table in WORKSPACE_OF
    }
    for table, _, _, condition in policies:
        assert condition.startswith(f"({WORKSPACE_OF[table]} = "), table


async def test_readers_may_read_each_table_and_change_none(postgres_url: sa.URL):
    granted = await execute(
        postgres_url,
        "SELECT table_name, privilege_type FROM information_schema.role_table_grants"
        f" WHERE grantee = '{READER}'",
    )
    assert {(table, right) for table, right in granted} == {
        (table, "SELECT") for table in Base.metadata.tables
    }


async def test_a_read_without_any_condition_shows_one_workspace(postgres_url: sa.URL):
    """The tables that every commit writes to; the others have the same policy."""
    whose: list[int | None] = [None]
    store = Store(postgres_url, lambda: whose[0])
    workspaces = [await store.workspace(name) for name in ("one", "two")]
    for workspace in workspaces:
        make = Producer()
        stream = await store.open_stream(workspace, make.stream, make.open)
        await store.commit([Batch(workspace, stream, 1, [make.started(), *make.run("a")])])
    tables = ("workspaces", "streams", "builds", "tasks", "workspace_logs", "committed_ranges")

    async def shown(table: str) -> set[int]:
        query = sa.text(f"SELECT {WORKSPACE_OF[table]} FROM {table}")
        async with store._database.read() as connection:
            return {*(await connection.execute(query)).scalars()}

    for table in tables:
        whose[0] = None
        assert await shown(table) >= {*workspaces}, table
        for whose[0] in workspaces:
            assert await shown(table) == {whose[0]}, table
    whose[0] = 0
    assert not await shown("builds")
    await store.close()


@pytest.fixture
def forgetful() -> Iterator[list[str]]:
    """Queries that forget whose rows they are for; return those that did."""
    forgot: list[str] = []

    def forget(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> tuple[str, Any]:
        if not statement.startswith("SELECT"):
            return statement, parameters
        everybodys = re.sub(
            r"(?:\w+\.workspace_id|workspaces\.id) = (\$\d+::\w+)", r"\1 IS NOT NULL", statement
        )
        if everybodys != statement:
            forgot.append(statement)
        return everybodys, parameters

    event.listen(sa.Engine, "before_cursor_execute", forget, retval=True)
    yield forgot
    event.remove(sa.Engine, "before_cursor_execute", forget)


READS = ("List", "Get", "Compare", "Suggest", "Explain", "Export", "Watch", "Download")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_queries_that_forget_the_workspace_give_nothing_away(two: Two, forgetful: list[str]):
    for method, (kind, request) in by_id(two).items():
        if method.split("/")[1].startswith(READS):
            forgetful.clear()
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await answers(two.stranger, method, request)
            assert forgetful, method
            assert Refused.of(caught.value).reason == f"{kind}_NOT_FOUND", method
    for method, request in LISTS.items():
        if "/List" in method or "Suggest" in method or "BatchGet" in method:
            forgetful.clear()
            told = b"".join(await answers(two.stranger, method, request))
            assert forgetful, method
            assert b"secret" not in told.replace(b"secret\x00", b""), method
            assert two.make.build_id.encode() not in told, method


@pytest.fixture
async def limited_user(postgres: sa.URL) -> AsyncIterator[sa.URL]:
    """An empty database whose owner may not create roles."""
    name = f"limited_{uuid4().hex}"
    await execute(
        postgres,
        f"CREATE ROLE {name} LOGIN PASSWORD 'secret'",
        f"CREATE DATABASE {name} OWNER {name}",
    )
    yield postgres.set(database=name, username=name, password="secret")
    await execute(postgres, f"DROP DATABASE {name} WITH (FORCE)", f"DROP ROLE {name}")


async def test_who_may_not_have_the_role_is_told_what_to_run(
    postgres: sa.URL, limited_user: sa.URL, tmp_path: Path
):
    url = limited_user.render_as_string(hide_password=False)
    refused = run_command("migrate", "--database-url", url, "--data-dir", str(tmp_path))
    assert refused.returncode == 3
    [line] = [line for line in refused.stderr.splitlines() if "stardag-server: " in line]
    told = line.partition("once: ")[2].split("; ")
    assert [statement.split()[0] for statement in told] == ["CREATE", "GRANT"]
    # Another database of this cluster had the role made before.
    there = await execute(postgres, f"SELECT 1 FROM pg_roles WHERE rolname = '{READER}'")
    await execute(postgres, *told[len(there) :])
    await migrate(limited_user)
    # A database that was restored elsewhere is at the newest schema, and has no role.
    await execute(postgres, f"REVOKE {READER} FROM {limited_user.username}")
    with pytest.raises(ReaderMissing):
        await migrate(limited_user)
