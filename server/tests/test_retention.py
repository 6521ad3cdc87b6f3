"""Retention: what is too old is deleted, and nothing else."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import grpc
import pytest
import sqlalchemy as sa
from producer import Producer, task_id
from running_server import Client, Refused
from server_process import run_command
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from stardag.v1 import build_service_pb2
from stardag.v1 import event_pb2 as pb
from stardag.v1.admin_service_pb2 import DeletionProgress, RunRetentionRequest
from stardag.v1.event_service_pb2 import WATCH_MODE_EVENTS, WatchBuildRequest
from stardag_server.domain.batch import Batch
from stardag_server.domain.refusals import BuildNotFound, TaskNotFound
from stardag_server.domain.retention import Deleted, RetentionPolicy
from stardag_server.housekeeping import Housekeeping
from stardag_server.store.assets import NewAsset
from stardag_server.store.store import Store

DAY_US = 24 * 3600 * 1_000_000


class Kept:
    """A store, its workspace, and means to make old builds."""

    def __init__(self, store: Store, url: sa.URL, workspace: int) -> None:
        self.store, self.url, self.workspace = store, url, workspace

    async def build(
        self, *tasks: str, name: str = "b", age_days: float = 0, ended: bool = True
    ) -> UUID:
        make = Producer()
        stream = await self.store.open_stream(self.workspace, make.stream, make.open)
        events: list[pb.NewEvent] = [make.started(name=name)]
        for task in tasks:
            events += [make.pending(task), make.event(pb.EVENT_TYPE_TASK_REUSED, task)]
        if ended:
            events.append(make.completed())
        outcome = await self.store.commit([Batch(self.workspace, stream, 1, events)])
        assert outcome.heads
        if age_days:
            await self.age(make.build, age_days)
        return make.build

    async def age(self, build: UUID, days: float) -> None:
        """Make a build, and what was written of it, so much older."""
        moved = round(days * DAY_US)
        async with self.database() as connection:
            found = sa.text("SELECT id FROM builds WHERE uuid = :uuid").bindparams(
                sa.bindparam("uuid", build, sa.Uuid())
            )
            key = (await connection.execute(found)).scalar_one()
            set_back = f"SET create_time = create_time - {moved}, update_time = update_time"
            await connection.execute(
                sa.text(f"UPDATE builds {set_back} - {moved} WHERE id = {key}")
            )

    async def age_events(self, build: UUID, days: float) -> None:
        """Make the events of a build so much older."""
        key = (await self.store.queries.build(self.workspace, build)).id
        moved = f"UPDATE events SET commit_time = commit_time - {round(days * DAY_US)}"
        async with self.database() as connection:
            if connection.dialect.name == "postgresql":
                await connection.execute(
                    sa.text("CREATE TABLE IF NOT EXISTS events_old PARTITION OF events DEFAULT")
                )
            await connection.execute(sa.text(f"{moved} WHERE build_id = {key}"))

    async def append(self, build: UUID, count: int) -> None:
        """Write so many more events into a build."""
        make = Producer(build)
        stream = await self.store.open_stream(self.workspace, make.stream, make.open)
        events = [make.pending(f"more {number}") for number in range(count)]
        await self.store.commit([Batch(self.workspace, stream, 1, events)])

    def database(self) -> "Database":
        return Database(self.url)

    async def count(self, table: str) -> int:
        async with self.database() as connection:
            return (await connection.execute(sa.text(f"SELECT count(*) FROM {table}"))).scalar_one()

    async def delete(self, days: int = 30, min_builds: int = 0) -> Deleted:
        policy = RetentionPolicy.of_days(days, min_builds)
        housekeeping = Housekeeping(self.store, policy)
        due = await housekeeping.due()
        deleted = await housekeeping.delete()
        assert due == deleted
        return deleted

    async def keep(self, **retention: int) -> None:
        """Give the workspace a policy of its own, in days."""
        stored = {name: days * DAY_US for name, days in retention.items()}
        await self.store.workspaces.update(self.workspace, "", lambda row: {"retention": stored})

    async def there(self, builds: Sequence[UUID]) -> list[bool]:
        found: list[bool] = []
        for build in builds:
            try:
                await self.store.queries.build(self.workspace, build)
                found.append(True)
            except BuildNotFound:
                found.append(False)
        return found


class Database:
    """A transaction of its own on the database."""

    def __init__(self, url: sa.URL) -> None:
        self._engine = create_async_engine(url)
        self._begin = self._engine.begin()

    async def __aenter__(self) -> AsyncConnection:
        return await self._begin.__aenter__()

    async def __aexit__(self, *_: object) -> None:
        await self._begin.__aexit__(None, None, None)
        await self._engine.dispose()


@pytest.fixture
async def kept(store: Store, database_url: sa.URL) -> Kept:
    return Kept(store, database_url, await store.workspace())


async def test_what_is_old_goes_with_all_that_only_it_has(kept: Kept):
    old = await kept.build("shared", "alone", age_days=31)
    new = await kept.build("shared", age_days=29)
    assert await kept.delete() == Deleted(builds=1, events=6, tasks=1)
    assert await kept.there([old, new]) == [False, True]
    assert [await kept.count(table) for table in ("events", "build_tasks", "tasks")] == [4, 1, 1]
    await kept.store.queries.task(kept.workspace, task_id("shared"))
    with pytest.raises(TaskNotFound):
        await kept.store.queries.task(kept.workspace, task_id("alone"))
    assert await kept.delete() == Deleted()


async def test_a_build_that_runs_is_kept_whatever_its_age(kept: Kept):
    running = await kept.build("t", age_days=100, ended=False)
    assert await kept.delete() == Deleted()
    assert await kept.there([running]) == [True]


async def test_the_latest_of_each_name_are_kept(kept: Kept):
    builds = [await kept.build(name=name, age_days=50) for name in ("a", "a", "b", "a", "b")]
    assert (await kept.delete(min_builds=2)).builds == 1
    assert await kept.there(builds) == [False, True, True, True, True]
    assert (await kept.delete(min_builds=1)).builds == 2
    assert await kept.there(builds) == [False, False, False, True, True]


async def test_assets_go_with_their_task(kept: Kept):
    await kept.build("shared", "alone", age_days=31)
    await kept.build("shared")
    for name in ("shared", "alone"):
        new = NewAsset(task_id(name), "a", 1, "text/markdown", "", None, b"x")
        await kept.store.assets.put(kept.workspace, new)
    assert (await kept.delete()).tasks == 1
    assert [await kept.count(table) for table in ("assets", "asset_chunks")] == [1, 1]
    await kept.store.assets.asset(kept.workspace, task_id("shared"), "a", 0)


async def test_zero_days_are_for_ever(kept: Kept):
    build = await kept.build(age_days=9_999)
    assert await kept.delete(days=0) == Deleted()
    assert await kept.there([build]) == [True]


async def test_another_workspace_keeps_what_it_has(kept: Kept):
    other = Kept(kept.store, kept.url, await kept.store.workspace("other"))
    await other.keep(builds=0)
    ours, theirs = await kept.build("t", age_days=99), await other.build("t", age_days=99)
    assert (await kept.delete()).builds == 1
    assert await kept.there([ours]) == [False]
    assert await other.there([theirs]) == [True]


async def test_events_go_before_their_build_where_the_workspace_says_so(kept: Kept):
    old, new = await kept.build("t", age_days=20), await kept.build("t", age_days=2)
    await kept.age_events(old, 20)
    await kept.keep(events=7)
    assert await kept.delete() == Deleted(events=4)
    assert await kept.there([old, new]) == [True, True]
    row = await kept.store.queries.build(kept.workspace, old)
    assert (row.head, row.trimmed) == (4, 4)
    [state] = await kept.store.queries.task_states(row.id, 0, 10)
    assert state.task_uuid == task_id("t")
    assert await kept.count("events") == 4
    assert await kept.delete() == Deleted()
    # What went before is not counted again with the build.
    await kept.age(old, 20)
    assert await kept.delete() == Deleted(builds=1)


async def test_revisions_of_assets_that_are_not_the_latest_go_by_age(kept: Kept):
    await kept.build("t")
    for content in (b"1", b"2", b"3"):
        new = NewAsset(task_id("t"), "a", 1, "text/markdown", "", None, content)
        await kept.store.assets.put(kept.workspace, new)
    async with kept.database() as connection:
        aged = f"UPDATE assets SET create_time = create_time - {8 * DAY_US} WHERE revision != 2"
        await connection.execute(sa.text(aged))
    await kept.keep(asset_revisions=7)
    assert await kept.delete() == Deleted(asset_revisions=1)
    assert await kept.count("assets") == await kept.count("asset_chunks") == 2
    assert (await kept.store.assets.asset(kept.workspace, task_id("t"), "a", 0)).revision == 3


async def test_a_watch_whose_events_are_gone_begins_anew(
    client: Client, store: Store, database_url: sa.URL
):
    kept = Kept(store, database_url, await store.workspace())
    build = await kept.build("t", age_days=20, ended=False)

    def watch(cursor: str = "") -> Any:
        request = WatchBuildRequest(build_id=str(build), mode=WATCH_MODE_EVENTS, cursor=cursor)
        return client.events.WatchBuild(request, metadata=client.metadata)

    first = watch()
    delivered = await anext(aiter(first))
    first.cancel()
    row = await store.queries.build(kept.workspace, build)
    assert [event.position for event in delivered.events] == [1, 2, 3]
    await kept.append(build, 2)
    await kept.age_events(build, 20)
    await kept.keep(events=7)
    assert (await kept.delete()).events == row.head + 2
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await anext(aiter(watch(delivered.cursor)))
    refused = Refused.of(caught.value)
    assert (refused.code, refused.reason) == (grpc.StatusCode.OUT_OF_RANGE, "CURSOR_EXPIRED")
    anew = watch()
    assert (await anext(aiter(anew))).build.build_id == str(build)
    anew.cancel()


async def test_a_month_goes_when_no_workspace_has_events_in_it(postgres_url: sa.URL):
    store = Store(postgres_url)
    kept = Kept(store, postgres_url, await store.workspace())
    other = Kept(store, postgres_url, await store.workspace("other"))
    for each in (kept, other):
        await each.build("t", age_days=20)
    async with kept.database() as connection:
        for statement in (
            "CREATE TABLE events_2020_01 PARTITION OF events"
            " FOR VALUES FROM (1577836800000000) TO (1580515200000000)",
            "UPDATE events SET commit_time = 1577836800000000",
        ):
            await connection.execute(sa.text(statement))
    there = "pg_tables WHERE tablename = 'events_2020_01'"
    await kept.keep(events=7)
    assert (await kept.delete()).events == 4
    assert await kept.count(there) == 1
    await other.keep(events=7)
    assert (await kept.delete()).events == 4
    assert await kept.count(there) == 0
    await store.close()


async def test_a_caller_who_purges_leaves_the_months_of_other_workspaces(postgres_url: sa.URL):
    """Although, as a reader, the caller sees none of their builds."""
    callers = list[int]()
    store = Store(postgres_url, lambda: callers[0] if callers else None)
    kept = Kept(store, postgres_url, await store.workspace())
    other = Kept(store, postgres_url, await store.workspace("other"))
    await kept.build("t", age_days=50)
    await other.build("t", age_days=20_000)
    async with kept.database() as connection:
        for statement in (
            "CREATE TABLE events_2020_01 PARTITION OF events"
            " FOR VALUES FROM (1577836800000000) TO (1580515200000000)",
            "UPDATE events SET commit_time = 1577836800000000",
        ):
            await connection.execute(sa.text(statement))
    callers.append(kept.workspace)
    policy = RetentionPolicy.of_days(30, 0)
    deleted = [done async for done in store.retention.run(kept.workspace, policy)]
    assert deleted[-1].builds == 1
    assert await kept.count("events_2020_01") == 4
    await store.close()


async def test_replicas_that_delete_at_once_delete_each_build_once(kept: Kept):
    for number in range(6):
        await kept.build(f"t{number}", "shared", age_days=50)
    other = Store(kept.url)
    policy = RetentionPolicy.of_days(30, 0)
    deleted = await asyncio.gather(
        *(Housekeeping(store, policy).delete() for store in (kept.store, other))
    )
    await other.close()
    assert sum(one.builds for one in deleted) == 6
    assert sum(one.tasks for one in deleted) == 7
    assert await kept.count("events") == await kept.count("tasks") == 0


async def test_no_task_that_a_build_gets_meanwhile_is_deleted(kept: Kept):
    for _ in range(10):
        await kept.build("shared", age_days=50)
    other = Store(kept.url)
    builders = Kept(other, kept.url, kept.workspace)
    housekeeping = Housekeeping(kept.store, RetentionPolicy.of_days(30, 0))
    deleted, new = await asyncio.gather(housekeeping.delete(), one_by_one(builders))
    await other.close()
    assert deleted.builds == 10
    for build in new:
        row = await kept.store.queries.build(kept.workspace, build)
        [state] = await kept.store.queries.task_states(row.id, 0, 10)
        assert state.task_uuid == task_id("shared")


async def one_by_one(kept: Kept) -> list[UUID]:
    return [await kept.build("shared") for _ in range(10)]


async def test_whole_months_go_with_their_partition(postgres_url: sa.URL):
    store = Store(postgres_url)
    kept = Kept(store, postgres_url, await store.workspace())
    old = await kept.build("t")
    async with kept.database() as connection:
        for statement in (
            "CREATE TABLE events_2020_01 PARTITION OF events"
            " FOR VALUES FROM (1577836800000000) TO (1580515200000000)",
            "UPDATE events SET commit_time = 1577836800000000",
            "UPDATE builds SET create_time = 1577836800000000, update_time = 1577836800000000",
        ):
            await connection.execute(sa.text(statement))
    new = await kept.build("u")
    assert await kept.count("events_2020_01") == 4
    assert (await kept.delete()).builds == 1
    assert await kept.count("pg_tables WHERE tablename = 'events_2020_01'") == 0
    assert await kept.there([old, new]) == [False, True]
    assert await kept.count("events") == 4
    await store.close()


async def test_a_month_in_which_a_kept_build_began_is_kept(postgres_url: sa.URL):
    store = Store(postgres_url)
    kept = Kept(store, postgres_url, await store.workspace())
    await kept.build("t", age_days=400)
    async with kept.database() as connection:
        await connection.execute(
            sa.text(
                "CREATE TABLE events_2020_01 PARTITION OF events"
                " FOR VALUES FROM (1577836800000000) TO (1580515200000000)"
            )
        )
    running = await kept.build("u", ended=False)
    async with kept.database() as connection:
        await connection.execute(
            sa.text(f"UPDATE builds SET create_time = 1577836800000000 WHERE status = {1}")
        )
    assert (await kept.delete()).builds == 1
    assert await kept.there([running]) == [True]
    assert await kept.count("pg_tables WHERE tablename = 'events_2020_01'") == 1
    await store.close()


async def test_it_is_run_on_demand_and_told_as_it_goes(
    client: Client, store: Store, database_url: sa.URL
):
    kept = Kept(store, database_url, await store.workspace())
    for number in range(12):
        await kept.build(f"t{number}", age_days=91)

    async def run(dry_run: bool) -> list[DeletionProgress]:
        request = RunRetentionRequest(dry_run=dry_run)
        call = client.admin.RunRetention(request, metadata=client.metadata)
        return [response.progress async for response in call]

    due = DeletionProgress(builds=2, events=8, tasks=2)
    assert await run(dry_run=True) == [due]
    assert await run(dry_run=False) == [DeletionProgress(builds=1, events=4, tasks=1), due]
    assert await run(dry_run=False) == [DeletionProgress()]
    request = build_service_pb2.ListBuildsRequest()
    listed = await client.builds.ListBuilds(request, metadata=client.metadata)
    assert len(listed.builds) == 10


async def test_a_command_does_it_too(kept: Kept):
    for _ in range(11):
        await kept.build("t", age_days=10)
    url = kept.url.render_as_string(hide_password=False)
    arguments = ("purge", "--database-url", url, "--retention-days", "9")

    def said(*more: str) -> str:
        done = run_command(*arguments, *more)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert (
        await asyncio.to_thread(said, "--dry-run") == "would delete 1 builds, 4 events, 0 tasks\n"
    )
    assert await asyncio.to_thread(said) == "deleted 1 builds, 4 events, 0 tasks\n"
    assert await asyncio.to_thread(said) == "deleted 0 builds, 0 events, 0 tasks\n"


async def test_a_workspace_that_fails_does_not_keep_the_others_from_their_turn(kept: Kept):
    broken = await kept.store.workspace("broken")
    last = Kept(kept.store, kept.url, await kept.store.workspace("last"))
    old = await last.build("t", age_days=31)
    # A duration that no clock reaches overflows in the database, and in its driver.
    beyond = {"builds": 1 << 62, "events": 1 << 70}
    await kept.store.workspaces.update(broken, "", lambda row: {"retention": beyond})
    with pytest.raises(ExceptionGroup):
        await Housekeeping(kept.store, RetentionPolicy.of_days(30, 0)).delete()
    assert await last.there([old]) == [False]
