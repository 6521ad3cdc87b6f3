"""The sweep: who falls silent is given up, and comes back by speaking."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa
from producer import Producer, task_id
from sqlalchemy.ext.asyncio import create_async_engine

from stardag.v1 import build_pb2, task_pb2
from stardag.v1 import event_pb2 as pb
from stardag_server.domain.batch import Batch, Committed, OpenStream
from stardag_server.domain.refusals import StorageUnavailable
from stardag_server.domain.silence import SILENCE_US
from stardag_server.services.messages import event_message
from stardag_server.store.store import Store
from stardag_server.sweep import Sweep


class Swept:
    """A build that runs, and means to let time pass."""

    def __init__(self, store: Store, url: sa.URL, workspace: int, stream: OpenStream) -> None:
        self.store, self.url, self.workspace, self.stream = store, url, workspace, stream
        self.make = Producer()
        self.next = 1

    async def send(self, *events: pb.NewEvent) -> Committed:
        batch = Batch(self.workspace, self.stream, self.next, events)
        self.next += len(events)
        [outcome] = (await self.store.commit([batch])).outcomes
        assert isinstance(outcome, Committed)
        return outcome

    async def pass_time(self, seconds: float) -> None:
        """Make all that was heard be heard so much longer ago."""
        engine = create_async_engine(self.url)
        moved = round(seconds * 1_000_000)
        async with engine.begin() as connection:
            for change in (
                f"UPDATE builds SET update_time = update_time - {moved}",
                f"UPDATE streams SET last_seen = last_seen - {moved}",
            ):
                await connection.execute(sa.text(change))
        await engine.dispose()

    async def status(self) -> int:
        return (await self.store.queries.build(self.workspace, self.make.build)).status

    async def give_up(self) -> dict[int, int]:
        assert await self.store.silent_workspaces() == [self.workspace]
        return await self.store.give_up_silent_builds(self.workspace)


@pytest.fixture
async def swept(store: Store, database_url: sa.URL) -> Swept:
    workspace = await store.workspace()
    make = Producer()
    stream = await store.open_stream(workspace, make.stream, make.open)
    swept = Swept(store, database_url, workspace, stream)
    await swept.send(swept.make.started(), swept.make.event(pb.EVENT_TYPE_TASK_STARTED, "t", 1))
    return swept


async def test_a_build_is_given_up_after_ninety_seconds_of_silence_and_not_before(swept: Swept):
    await swept.pass_time(85)
    assert await swept.store.silent_workspaces() == []
    assert await swept.store.give_up_silent_builds(swept.workspace) == {}
    await swept.pass_time(6)
    assert list((await swept.give_up()).values()) == [3]
    row = await swept.store.queries.build(swept.workspace, swept.make.build)
    assert row.status == build_pb2.BUILD_STATUS_ABANDONED
    assert "90 s" in row.reason
    assert row.task_counts[task_pb2.TASK_STATUS_CANCELLED] == 1
    events = await swept.store.queries.events(row.id, 2, 3, 10)
    [event] = [event_message(row, swept.make.build_id) for row in events]
    assert (event.type, event.sequence) == (pb.EVENT_TYPE_PRODUCER_DIED, 0)
    assert await swept.store.silent_workspaces() == []


async def test_what_other_streams_of_the_build_were_at_ends_with_it(swept: Swept):
    worker = Producer(build=swept.make.build)
    stream = await swept.store.open_stream(swept.workspace, worker.stream, worker.open)
    begun = worker.event(pb.EVENT_TYPE_TASK_STARTED, "w", 1)
    await swept.store.commit([Batch(swept.workspace, stream, 1, [begun])])
    await swept.pass_time(91)
    await swept.give_up()
    row = await swept.store.queries.build(swept.workspace, swept.make.build)
    assert row.task_counts[task_pb2.TASK_STATUS_CANCELLED] == 2
    done = worker.event(pb.EVENT_TYPE_TASK_COMPLETED, "w", 1)
    await swept.store.commit([Batch(swept.workspace, stream, 2, [done])])
    row = await swept.store.queries.build(swept.workspace, swept.make.build)
    assert row.status == build_pb2.BUILD_STATUS_ABANDONED
    assert row.task_counts[task_pb2.TASK_STATUS_COMPLETED] == 1


async def test_a_sign_of_life_keeps_a_build(swept: Swept):
    await swept.pass_time(91)
    await swept.send()
    assert await swept.store.give_up_silent_builds(swept.workspace) == {}
    await swept.pass_time(91)
    again = await swept.store.open_stream(swept.workspace, swept.stream.uuid, swept.make.open)
    assert again.committed_sequence == 2
    assert await swept.store.silent_workspaces() == []


async def test_a_later_event_of_the_owner_takes_it_back(swept: Swept):
    await swept.pass_time(91)
    await swept.give_up()
    outcome = await swept.send(swept.make.event(pb.EVENT_TYPE_TASK_COMPLETED, "t", 1))
    assert outcome.rejections == []
    row = await swept.store.queries.build(swept.workspace, swept.make.build)
    assert (row.status, row.reason) == (build_pb2.BUILD_STATUS_RUNNING, "")
    [state] = await swept.store.queries.task_states(row.id, 0, 10)
    assert (state.task_uuid, state.status) == (task_id("t"), task_pb2.TASK_STATUS_COMPLETED)


async def test_what_has_ended_is_left_alone(swept: Swept):
    await swept.send(swept.make.completed())
    await swept.pass_time(91)
    assert await swept.store.silent_workspaces() == []
    assert await swept.store.give_up_silent_builds(swept.workspace) == {}


async def test_sweeps_that_meet_give_a_build_up_once(swept: Swept):
    await swept.pass_time(91)
    others = [Store(swept.url) for _ in range(3)]
    heads = await asyncio.gather(
        *(store.give_up_silent_builds(swept.workspace) for store in (swept.store, *others))
    )
    assert sorted(len(each) for each in heads) == [0, 0, 0, 1]
    assert (await swept.store.queries.build(swept.workspace, swept.make.build)).head == 3
    for store in others:
        await store.close()


async def test_nobody_is_given_up_who_could_not_be_heard(swept: Swept):
    announced: dict[int, int] = {}
    sweep = Sweep(swept.store, announced.update)
    begin = asyncio.get_running_loop().time()
    await swept.pass_time(91)
    await sweep.look(begin + 30)
    assert await swept.status() == build_pb2.BUILD_STATUS_RUNNING
    await sweep.look(begin + timedelta(microseconds=SILENCE_US).total_seconds() + 1)
    assert await swept.status() == build_pb2.BUILD_STATUS_ABANDONED
    assert list(announced.values()) == [3]


async def test_an_outage_of_the_database_is_no_silence():
    store = Store(sa.make_url("postgresql+asyncpg://nobody@127.0.0.1:1/none"))
    sweep = Sweep(store, lambda heads: None)
    with pytest.raises(StorageUnavailable):
        await sweep.look(asyncio.get_running_loop().time() + 1_000)
    await store.close()


async def test_builds_of_every_workspace_are_given_up(swept: Swept):
    other = await swept.store.workspace("other")
    make = Producer()
    stream = await swept.store.open_stream(other, make.stream, make.open)
    await swept.store.commit([Batch(other, stream, 1, [make.started()])])
    await swept.pass_time(91)
    announced: dict[int, int] = {}
    sweep = Sweep(swept.store, announced.update)
    await sweep.look(asyncio.get_running_loop().time() + 100)
    assert await swept.status() == build_pb2.BUILD_STATUS_ABANDONED
    theirs = await swept.store.queries.build(other, make.build)
    assert theirs.status == build_pb2.BUILD_STATUS_ABANDONED
    assert len(announced) == 2


@pytest.fixture
async def startless(swept: Swept) -> Swept:
    """A build beside one that has ended, of which the start never came."""
    await swept.send(swept.make.completed())
    swept.make = Producer()
    lost = swept.make.event(pb.EVENT_TYPE_EVENTS_LOST, events_lost=pb.EventsLost(count=1))
    await swept.send(lost, swept.make.event(pb.EVENT_TYPE_TASK_STARTED, "t", 1))
    return swept


async def test_a_build_whose_start_never_came_is_given_up_too(startless: Swept):
    await startless.pass_time(91)
    assert list((await startless.give_up()).values()) == [3]
    row = await startless.store.queries.build(startless.workspace, startless.make.build)
    assert row.status == build_pb2.BUILD_STATUS_ABANDONED
    assert row.task_counts[task_pb2.TASK_STATUS_CANCELLED] == 1
    assert await startless.store.silent_workspaces() == []


async def test_a_sign_of_life_keeps_a_build_whose_start_never_came(startless: Swept):
    await startless.pass_time(91)
    await startless.send()
    assert await startless.store.silent_workspaces() == []
    assert await startless.store.give_up_silent_builds(startless.workspace) == {}


async def test_a_later_event_takes_a_build_back_whose_start_never_came(startless: Swept):
    await startless.pass_time(91)
    await startless.give_up()
    outcome = await startless.send(startless.make.event(pb.EVENT_TYPE_TASK_COMPLETED, "t", 1))
    assert outcome.rejections == []
    assert await startless.status() == build_pb2.BUILD_STATUS_RUNNING
