"""Group commit when things go wrong: poison, databases that go away, too much at once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa
from producer import Producer, task_id
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from stardag.v1 import event_pb2 as pb
from stardag_server import ingest as ingest_module
from stardag_server.domain.batch import Batch, OpenStream
from stardag_server.domain.refusals import StorageUnavailable
from stardag_server.ingest import CommitFailed, Ingest
from stardag_server.metrics import Metrics
from stardag_server.services.messages import event_message
from stardag_server.store.store import Store


class Running:
    """An ingest that runs, and a stream into it."""

    def __init__(self, store: Store, workspace: int, stream: OpenStream, make: Producer) -> None:
        self.store, self.workspace, self.stream, self.make = store, workspace, stream, make
        self.heads: dict[int, int] = {}
        self.ingest = Ingest(store, self._announce, Metrics())
        self._next = stream.committed_sequence + 1

    def _announce(self, heads: Mapping[int, int]) -> None:
        self.heads.update(heads)

    def batch(self, events: Sequence[pb.NewEvent]) -> Batch:
        batch = Batch(self.workspace, self.stream, self._next, events)
        self._next += len(events)
        return batch

    async def events(self) -> list[pb.Event]:
        row = await self.store.queries.build(self.workspace, self.make.build)
        rows = await self.store.queries.events(row.id, 0, row.head, 10_000)
        return [event_message(row, self.make.build_id) for row in rows]


@pytest.fixture
async def running(store: Store) -> AsyncIterator[Running]:
    make = Producer()
    workspace = await store.workspace()
    stream = await store.open_stream(workspace, make.stream, make.open)
    running = Running(store, workspace, stream, make)
    task = asyncio.create_task(running.ingest.run())
    yield running
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def refuse_attempt(url: sa.URL, attempt: int) -> None:
    """Make the database refuse events with this number of attempt."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        if url.get_backend_name() == "sqlite":
            await connection.execute(
                sa.text(
                    f"CREATE TRIGGER poison BEFORE INSERT ON events WHEN NEW.attempt = {attempt}"
                    " AND NEW.rejection IS NULL BEGIN SELECT RAISE(ABORT, 'poison'); END"
                )
            )
        else:
            await connection.execute(
                sa.text(
                    "ALTER TABLE events ADD CONSTRAINT poison"
                    f" CHECK (attempt <> {attempt} OR rejection IS NOT NULL)"
                )
            )
    await engine.dispose()


async def test_what_was_delivered_is_committed_and_announced(running: Running):
    make = running.make
    outcomes = [
        await running.ingest.submit(running.batch([make.started()])),
        await running.ingest.submit(running.batch(make.run("a"))),
    ]
    assert [(await outcome).sequence for outcome in outcomes] == [1, 4]
    assert list(running.heads.values()) == [4]


async def test_streams_of_one_build_that_are_committed_at_once_share_its_log(running: Running):
    others = [Producer(build=running.make.build) for _ in range(4)]
    outcomes = [await running.ingest.submit(running.batch([running.make.started()]))]
    streams = [
        await running.store.open_stream(running.workspace, make.stream, make.open)
        for make in others
    ]
    for round in range(5):
        for number, (make, stream) in enumerate(zip(others, streams, strict=True)):
            events = make.run(f"{round}-{number}")
            batch = Batch(running.workspace, stream, round * len(events) + 1, events)
            outcomes.append(await running.ingest.submit(batch))
    assert [outcome.rejections for outcome in await asyncio.gather(*outcomes)] == [[]] * 21
    assert [event.position for event in await running.events()] == [*range(1, 62)]
    row = await running.store.queries.build(running.workspace, running.make.build)
    assert (row.head, sum(row.task_counts)) == (61, 20)


async def test_poison_is_stored_as_rejected_and_the_rest_is_applied(
    running: Running, database_url: sa.URL, caplog: pytest.LogCaptureFixture
):
    await refuse_attempt(database_url, 66)
    make = running.make
    poison = make.event(pb.EVENT_TYPE_TASK_STARTED, "p", 66)
    outcomes = [
        await running.ingest.submit(running.batch([make.started(), *make.run("a")])),
        await running.ingest.submit(running.batch([*make.run("b"), poison, *make.run("c")])),
    ]
    first, second = [await outcome for outcome in outcomes]
    assert first.rejections == []
    assert [(r.sequence, r.reason) for r in second.rejections] == [
        (8, pb.EVENT_REJECTION_REASON_EVENT_INVALID)
    ]
    events = await running.events()
    assert [event.sequence for event in events] == [*range(1, 12)]
    assert [event.task_id for event in events if event.rejection] == [str(task_id("p"))]
    assert "event 8 of stream" in caplog.text
    # However many attempts it took to find it, the trace is logged once.
    assert len([record for record in caplog.records if record.exc_info]) == 1
    assert running.make.build.hex not in caplog.text


async def test_a_fault_that_is_no_events_fault_reaches_the_producer_and_passes(
    running: Running, database_url: sa.URL, caplog: pytest.LogCaptureFixture
):
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.execute(sa.text("ALTER TABLE builds RENAME TO gone"))
    batch = running.batch([running.make.started()])
    with pytest.raises(CommitFailed):
        await (await running.ingest.submit(batch))
    [entry] = [record for record in caplog.records if record.exc_info]
    assert isinstance(entry.exc_info and entry.exc_info[1], DBAPIError)
    async with engine.begin() as connection:
        await connection.execute(sa.text("ALTER TABLE gone RENAME TO builds"))
    await engine.dispose()
    assert (await (await running.ingest.submit(batch))).sequence == 1


async def test_a_producer_that_outruns_the_database_waits(
    running: Running, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ingest_module, "_QUEUE_EVENTS", 10)
    make = running.make
    idle = Ingest(running.store, running.heads.update, Metrics())
    await idle.submit(running.batch([make.started(), *make.run("a"), *make.run("b")]))
    await idle.submit(running.batch(make.run("c")))
    waiting = asyncio.create_task(idle.submit(running.batch([make.completed()])))
    done, _ = await asyncio.wait([waiting], timeout=0.05)
    assert not done
    committing = asyncio.create_task(idle.run())
    assert (await (await waiting)).sequence == 11
    committing.cancel()


async def test_connections_that_died_in_the_pool_fail_nothing(
    postgres_url: sa.URL,
):
    store = Store(postgres_url)
    workspace = await store.workspace()
    await _end_connections(postgres_url)
    assert await store.workspace() == workspace
    await _end_connections(postgres_url)
    assert await store.listing.builds(workspace, None, 1) == []
    await store.close()


async def test_a_commit_on_a_connection_that_died_is_made_on_another(postgres_url: sa.URL):
    make = Producer()
    store = Store(postgres_url)
    workspace = await store.workspace()
    stream = await store.open_stream(workspace, make.stream, make.open)
    await store.commit([Batch(workspace, stream, 1, [make.started()])])
    await _end_connections(postgres_url)
    await store.commit([Batch(workspace, stream, 2, make.run("a"))])
    assert (await store.queries.build(workspace, make.build)).head == 4
    await store.close()


async def _end_connections(url: sa.URL) -> None:
    """End all connections to a database, as its restart would."""
    engine = create_async_engine(url.set(database="postgres"))
    async with engine.connect() as connection:
        await connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                f" WHERE datname = '{url.database}'"
            )
        )
    await engine.dispose()
    # A restart takes longer than a connection in use is trusted.
    await asyncio.sleep(0.1)


async def _allow_connections(url: sa.URL, allowed: bool) -> None:
    engine = create_async_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(
            sa.text(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS {allowed}")
        )
    await engine.dispose()
    if not allowed:
        await _end_connections(url)


async def test_a_database_that_can_not_be_reached_is_unavailable():
    store = Store(sa.make_url("postgresql+asyncpg://nobody@127.0.0.1:1/none"))
    with pytest.raises(StorageUnavailable):
        await store.workspace()
    await store.close()


async def test_while_the_database_is_away_nothing_is_acknowledged_and_then_it_goes_on(
    postgres_url: sa.URL,
):
    make = Producer()
    store = Store(postgres_url)
    workspace = await store.workspace()
    running = Running(
        store, workspace, await store.open_stream(workspace, make.stream, make.open), make
    )
    task = asyncio.create_task(running.ingest.run())
    batch = running.batch([make.started()])
    await _allow_connections(postgres_url, False)
    with pytest.raises(StorageUnavailable):
        await (await running.ingest.submit(batch))
    await _allow_connections(postgres_url, True)
    assert (await (await running.ingest.submit(batch))).sequence == 1
    assert [event.sequence for event in await running.events()] == [1]
    task.cancel()
    await store.close()


async def test_replicas_that_meet_on_the_same_tasks_and_builds_agree(postgres_url: sa.URL):
    """Builds that start together and share new tasks are what insert races are made of."""
    stores = [Store(postgres_url) for _ in range(3)]
    shared = Producer().build

    async def publish(store: Store) -> int:
        make = Producer(build=shared)
        workspace = await store.workspace()
        stream = await store.open_stream(workspace, make.stream, make.open)
        running = Running(store, workspace, stream, make)
        task = asyncio.create_task(running.ingest.run())
        outcome = None
        for round in range(10):
            names = [f"{round}-{number}" for number in range(40)]
            events = [make.pending(name, [f"{round}-dep", "common"]) for name in names]
            outcome = await running.ingest.submit(running.batch(events))
        assert outcome
        rejections = (await outcome).rejections
        task.cancel()
        return len(rejections)

    assert await asyncio.gather(*(publish(store) for store in stores)) == [0, 0, 0]
    workspace = await stores[0].workspace()
    row = await stores[0].queries.build(workspace, shared)
    assert (row.head, sum(row.task_counts)) == (3 * 400, 400)
    events = await stores[0].queries.events(row.id, 0, row.head, 10_000)
    assert [event.position for event in events] == [*range(1, 1_201)]
    for store in stores:
        await store.close()


async def test_partitions_are_made_for_now_by_whoever_needs_them(
    postgres_url: sa.URL, tmp_path: Path
):
    stores = [Store(postgres_url) for _ in range(3)]
    await asyncio.gather(*(store._partitions.ensure() for store in stores))
    engine = create_async_engine(postgres_url)
    async with engine.connect() as connection:
        query = sa.text("SELECT count(*) FROM pg_inherits WHERE inhparent = 'events'::regclass")
        assert (await connection.execute(query)).scalar_one() in (1, 2)
    await engine.dispose()
    for store in stores:
        await store.close()
