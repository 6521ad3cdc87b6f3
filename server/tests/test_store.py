"""What the store promises, on every database."""

from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from producer import Producer, definition, task_id

from stardag.v1 import build_pb2, task_pb2
from stardag.v1 import event_pb2 as pb
from stardag_server.domain.batch import Batch, Committed, OpenStream
from stardag_server.domain.filter_fields import BUILD_FIELDS
from stardag_server.domain.filters import parse
from stardag_server.domain.refusals import (
    BuildNotFound,
    Refusal,
    SequenceGap,
    StreamSuperseded,
    TaskNotFound,
)
from stardag_server.services.messages import build_message, event_message, task_state_message
from stardag_server.store.store import Store


class Client:
    """A stream open at a store."""

    def __init__(self, store: Store, workspace: int, make: Producer, stream: OpenStream) -> None:
        self.store, self.workspace, self.make, self.stream = store, workspace, make, stream
        self.next = stream.committed_sequence + 1

    @classmethod
    async def open(cls, store: Store, make: Producer) -> "Client":
        workspace = await store.workspace()
        return cls(
            store, workspace, make, await store.open_stream(workspace, make.stream, make.open)
        )

    def batch(self, events: Sequence[pb.NewEvent], first: int | None = None) -> Batch:
        first = self.next if first is None else first
        self.next = max(self.next, first + len(events))
        return Batch(self.workspace, self.stream, first, events)

    async def send(self, *events: pb.NewEvent, first: int | None = None) -> Committed | Refusal:
        result = await self.store.commit([self.batch(events, first)])
        return result.outcomes[0]

    async def build(self) -> build_pb2.Build:
        row = await self.store.queries.build(self.workspace, self.make.build)
        return build_message(row, row.root_task_ids)

    async def states(self) -> dict[UUID, task_pb2.TaskState]:
        row = await self.store.queries.build(self.workspace, self.make.build)
        rows = await self.store.queries.task_states(row.id, 0, 10_000)
        return {r.task_uuid: task_state_message(r, self.make.build_id) for r in rows}

    async def events(self) -> list[pb.Event]:
        row = await self.store.queries.build(self.workspace, self.make.build)
        rows = await self.store.queries.events(row.id, 0, row.head, 10_000)
        return [event_message(r, self.make.build_id) for r in rows]


@pytest.fixture
async def client(store: Store) -> Client:
    return await Client.open(store, Producer())


def committed(outcome: Committed | Refusal) -> Committed:
    assert isinstance(outcome, Committed), outcome
    return outcome


async def test_a_build_is_what_its_events_say(client: Client):
    make = client.make
    root = str(task_id("b"))
    source = build_pb2.SourceRevision(commit="c0ffee", ref="main", dirty=True)
    events = [
        make.started(
            name="B",
            root_task_ids=[root],
            labels={"k": "v"},
            description="d",
            source=source,
            client="test/1",
            host="h",
            runtime="CPython 3.11.7",
            command="python build.py",
        ),
        make.pending("b", ["a"]),
        *make.run("a"),
        *make.run("b"),
        make.completed(),
    ]
    assert committed(await client.send(*events)).sequence == len(events)
    build = await client.build()
    assert (build.status, build.name, build.description) == (
        build_pb2.BUILD_STATUS_COMPLETED,
        "B",
        "d",
    )
    assert list(build.root_task_ids) == [root]
    assert dict(build.labels) == {"k": "v"}
    assert build.source == source
    assert (build.client, build.host) == ("test/1", "h")
    assert (build.runtime, build.command) == ("CPython 3.11.7", "python build.py")
    assert build.trace_id == make.build.hex
    assert build.duration_us == (len(events) - 1) * 1_000
    assert build.end_time.ToMicroseconds() - build.start_time.ToMicroseconds() == build.duration_us
    assert [(count.status, count.count) for count in build.task_counts] == [
        (task_pb2.TASK_STATUS_COMPLETED, 2)
    ]
    assert build.completeness.recorded_events == len(events)
    states = await client.states()
    assert list(states) == [task_id("b"), task_id("a")]
    assert states[task_id("a")].duration_us == 1_000


async def test_events_are_read_back_as_they_were_sent(client: Client):
    make = client.make
    failure = task_pb2.TaskFailure(kind="E\x00", message="m\x00", stack_trace="s")
    future = make.event(500, "t", 1)
    future.MergeFromString(b"\xfa\x01\x03abc")
    events = [
        make.started(description="\x00"),
        make.event(pb.EVENT_TYPE_TASK_STARTED, "t", 1),
        make.event(pb.EVENT_TYPE_TASK_FAILED, "t", 1, failure=failure),
        future,
        make.event(pb.EVENT_TYPE_BUILD_FAILED, build_end=pb.BuildEnd(reason="r\x00")),
    ]
    await client.send(*events)
    read = await client.events()
    assert [event.position for event in read] == [1, 2, 3, 4, 5]
    assert [event.type for event in read] == [event.type for event in events]
    assert [event.sequence for event in read] == [1, 2, 3, 4, 5]
    assert {event.stream_id for event in read} == {str(make.stream)}
    assert read[2].failure == failure
    assert read[4].build_end.reason == "r\x00"
    assert [event.event_time.ToMicroseconds() for event in read] == [
        event.event_time_us for event in events
    ]
    # Shown texts have the symbol for NUL, which PostgreSQL refuses.
    assert (await client.build()).description == "\u2400"
    assert (await client.states())[task_id("t")].failure == failure


async def test_a_batch_sent_again_is_applied_once(client: Client):
    make = client.make
    events = [make.started(), *make.run("a"), *make.run("b")]
    await client.send(*events[:4])
    outcome = committed(await client.send(*events[2:], first=3))
    assert outcome.sequence == len(events)
    again = committed(await client.send(*events[:2], first=1))
    assert again.sequence == len(events)
    assert [event.sequence for event in await client.events()] == [*range(1, len(events) + 1)]


async def test_batches_of_one_stream_may_share_a_commit(client: Client):
    events = [client.make.started(), *client.make.run("a")]
    batches = [client.batch(events[:2]), client.batch(events[1:], first=2)]
    result = await client.store.commit(batches)
    assert [committed(outcome).sequence for outcome in result.outcomes] == [2, 4]
    assert (await client.build()).completeness.recorded_events == 4


async def test_a_gap_is_refused_and_leaves_the_others_alone(client: Client):
    other = await Client.open(client.store, Producer())
    result = await client.store.commit(
        [
            client.batch([client.make.started()], first=1),
            client.batch([client.make.completed()], first=5),
            other.batch([other.make.started()]),
        ]
    )
    first, gap, fine = result.outcomes
    assert committed(first).sequence == 1
    assert isinstance(gap, SequenceGap)
    assert gap.metadata == {"expectedSequence": "2", "receivedSequence": "5"}
    assert committed(fine).sequence == 1
    assert (await client.build()).status == build_pb2.BUILD_STATUS_RUNNING


@pytest.mark.parametrize("first", [0, 1_000, 2**63, 2**64 - 1])
async def test_a_batch_without_events_moves_nothing_whatever_its_number(client: Client, first: int):
    await client.send(client.make.started())
    empty = Batch(client.workspace, client.stream, first, [])
    result = await client.store.commit([empty])
    assert committed(result.outcomes[0]).sequence == 1
    assert committed(await client.send(client.make.completed(), first=2)).sequence == 2
    assert (await client.build()).status == build_pb2.BUILD_STATUS_COMPLETED


async def test_only_the_latest_opening_of_a_stream_may_deliver(client: Client):
    await client.send(client.make.started())
    newer = await Client.open(client.store, client.make)
    assert newer.stream.committed_sequence == 1
    assert isinstance(await client.send(client.make.completed()), StreamSuperseded)
    assert committed(await newer.send(newer.make.completed())).sequence == 2


async def test_a_bad_event_is_stored_as_rejected_and_blocks_nothing(client: Client):
    make = client.make
    outcome = committed(
        await client.send(
            make.started(),
            make.event(pb.EVENT_TYPE_TASK_STARTED, "t", 0),
            pb.NewEvent(build_id=b"none", type=pb.EVENT_TYPE_TASK_STARTED),
            make.event(pb.EVENT_TYPE_TASK_PENDING, "t", definition=definition("u")),
            *make.run("t"),
            make.event(pb.EVENT_TYPE_TASK_FAILED, "t", 1),
        )
    )
    assert [(rejection.sequence, rejection.reason) for rejection in outcome.rejections] == [
        (2, pb.EVENT_REJECTION_REASON_EVENT_INVALID),
        (3, pb.EVENT_REJECTION_REASON_EVENT_INVALID),
        (4, pb.EVENT_REJECTION_REASON_TASK_ID_MISMATCH),
        (8, pb.EVENT_REJECTION_REASON_INVALID_TRANSITION),
    ]
    build = await client.build()
    # The one that names no build is in no build's log.
    assert build.completeness.recorded_events == 7
    assert build.completeness.rejected_events == 3
    rejected = [event for event in await client.events() if event.rejection]
    assert [event.sequence for event in rejected] == [2, 4, 8]
    assert {event.task_id for event in rejected} == {str(task_id("t"))}
    assert list(await client.states()) == [task_id("t")]


async def test_rejected_events_make_no_build(client: Client):
    make = client.make
    bad = [make.event(0), make.event(pb.EVENT_TYPE_TASK_STARTED, "t", 0)]
    outcome = committed(await client.send(*bad))
    assert [rejection.sequence for rejection in outcome.rejections] == [1, 2]
    with pytest.raises(BuildNotFound):
        await client.build()
    await client.send(make.event(0), make.started(), make.event(0))
    assert [event.sequence for event in await client.events()] == [3, 4, 5]
    assert (await client.build()).completeness.rejected_events == 2


async def test_a_definition_is_kept_as_first_received(client: Client):
    make = client.make
    await client.send(make.pending("t", output_uri="here"))
    outcome = committed(
        await client.send(make.pending("t", output_uri="there"), make.pending("t", version="2"))
    )
    assert [rejection.reason for rejection in outcome.rejections] == [
        pb.EVENT_REJECTION_REASON_TASK_CONFLICT
    ]
    row, _, _ = await client.store.queries.task(client.workspace, task_id("t"))
    assert (row.output_uri, row.version) == ("here", "")


async def test_a_task_named_before_it_is_defined_is_filled_in_later(client: Client):
    make = client.make
    await client.send(make.pending("child", ["parent"]))
    row, _, state = await client.store.queries.task(client.workspace, task_id("parent"))
    assert (row.identity_json, state) == (None, None)
    await client.send(make.pending("parent", ["grandparent"]))
    row, upstreams, state = await client.store.queries.task(client.workspace, task_id("parent"))
    assert (row.name, upstreams) == ("parent", [task_id("grandparent")])
    assert state is not None and state.build_uuid == make.build


async def test_dependencies_yielded_while_running_become_dependencies(client: Client):
    make = client.make
    wait = task_pb2.TaskWait(task_ids=[str(task_id("dynamic"))])
    await client.send(
        make.pending("t", ["static"]),
        make.event(pb.EVENT_TYPE_TASK_STARTED, "t", 1),
        make.event(pb.EVENT_TYPE_TASK_SUSPENDED, "t", 1, wait=wait),
        make.pending("dynamic"),
    )
    _, upstreams, _ = await client.store.queries.task(client.workspace, task_id("t"))
    assert set(upstreams) == {task_id("static"), task_id("dynamic")}
    row = await client.store.queries.build(client.workspace, make.build)
    assert await client.store.queries.edges(row.id, 2) == [(2, 1)]


async def test_a_task_has_at_most_ten_thousand_dependencies_that_it_yielded(client: Client):
    make = client.make

    def suspended(numbers: range) -> pb.NewEvent:
        wait = task_pb2.TaskWait(task_ids=[str(UUID(int=number)) for number in numbers])
        return make.event(pb.EVENT_TYPE_TASK_SUSPENDED, "t", 1, wait=wait)

    start = make.event(pb.EVENT_TYPE_TASK_STARTED, "t", 1)
    await client.send(make.pending("t", ["static"]), start, suspended(range(9_999)))
    outcome = committed(
        await client.send(
            suspended(range(9_998, 10_000)),
            suspended(range(5, 10_002, 2)),
            suspended(range(10, 20)),
        )
    )
    assert [(r.sequence, r.reason) for r in outcome.rejections] == [
        (5, pb.EVENT_REJECTION_REASON_EVENT_INVALID)
    ]
    _, upstreams, _ = await client.store.queries.task(client.workspace, task_id("t"))
    assert len(upstreams) == 1 + 10_000
    outcome = committed(await client.send(suspended(range(20_000, 20_001))))
    assert [rejection.sequence for rejection in outcome.rejections] == [7]
    assert (await client.states())[task_id("t")].status == task_pb2.TASK_STATUS_SUSPENDED


async def test_a_task_is_shown_in_the_build_that_touched_it_last(client: Client):
    other = await Client.open(client.store, Producer())
    await client.send(*client.make.run("t"))
    await other.send(other.make.event(pb.EVENT_TYPE_TASK_REUSED, "t"))
    _, _, state = await client.store.queries.task(client.workspace, task_id("t"))
    assert state is not None and state.build_uuid == other.make.build


async def test_a_producers_death_reaches_tasks_that_were_not_in_memory(
    client: Client, database_url: sa.URL
):
    make = client.make
    await client.send(make.started(), make.event(pb.EVENT_TYPE_TASK_STARTED, "t", 1))
    elsewhere = Store(database_url)
    again = await Client.open(elsewhere, make)
    await again.send(make.event(pb.EVENT_TYPE_PRODUCER_DIED))
    assert (await again.build()).status == build_pb2.BUILD_STATUS_ABANDONED
    states = await again.states()
    assert states[task_id("t")].status == task_pb2.TASK_STATUS_CANCELLED
    row = await elsewhere.queries.build(again.workspace, make.build)
    changed = await elsewhere.queries.changed_task_states(row.id, 2, 3)
    assert [r.task_uuid for r in changed] == [task_id("t")]
    await elsewhere.close()


async def test_two_stores_on_one_database_do_not_trust_old_memories(
    client: Client, database_url: sa.URL
):
    make = client.make
    elsewhere = Store(database_url)
    worker = Producer(build=make.build)
    there = await Client.open(elsewhere, worker)
    await client.send(make.started(), make.event(pb.EVENT_TYPE_TASK_STARTED, "t", 1))
    await there.send(worker.event(pb.EVENT_TYPE_TASK_STARTED, "u", 1))
    await client.send(make.event(pb.EVENT_TYPE_TASK_COMPLETED, "t", 1))
    await there.send(worker.event(pb.EVENT_TYPE_TASK_COMPLETED, "u", 1))
    build = await client.build()
    assert build.completeness.recorded_events == 5
    assert [event.position for event in await client.events()] == [1, 2, 3, 4, 5]
    assert [(count.status, count.count) for count in build.task_counts] == [
        (task_pb2.TASK_STATUS_COMPLETED, 2)
    ]
    await elsewhere.close()


async def test_tens_of_thousands_of_tasks_are_one_batch_of_work(client: Client):
    make = client.make
    names = [str(number) for number in range(9_000)]
    events = [make.pending(name, [str(int(name) // 2)]) for name in names]
    events += [make.event(pb.EVENT_TYPE_TASK_REUSED, name) for name in names]
    await client.store.commit([client.batch(events[:9_000]), client.batch(events[9_000:])])
    build = await client.build()
    assert [(count.status, count.count) for count in build.task_counts] == [
        (task_pb2.TASK_STATUS_REUSED, 9_000)
    ]
    row = await client.store.queries.build(client.workspace, make.build)
    assert len(await client.store.queries.edges(row.id, 9_000)) == 9_000


async def test_many_tasks_are_defined_and_move_on_in_later_commits(client: Client):
    make = client.make
    names = [str(number) for number in range(300)]
    await client.send(*(make.pending(name, [f"up-{name}"]) for name in names))
    defined = [make.pending(f"up-{name}") for name in names]
    started = [make.event(pb.EVENT_TYPE_TASK_STARTED, name, 1) for name in names]
    await client.send(*defined, *started)
    await client.send(*(make.event(pb.EVENT_TYPE_TASK_COMPLETED, name, 1) for name in names))
    states = await client.states()
    assert {task: states[task].status for task in states} == {
        **{task_id(name): task_pb2.TASK_STATUS_COMPLETED for name in names},
        **{task_id(f"up-{name}"): task_pb2.TASK_STATUS_PENDING for name in names},
    }
    assert {states[task_id(name)].duration_us for name in names} == {300 * 1_000}
    for name in ("up-0", "up-299"):
        row, _, _ = await client.store.queries.task(client.workspace, task_id(name))
        assert row.name == name
    row = await client.store.queries.build(client.workspace, make.build)
    assert len(await client.store.queries.edges(row.id, 600)) == 300


async def test_what_is_unknown_is_not_found(client: Client):
    with pytest.raises(BuildNotFound):
        await client.store.queries.build(client.workspace, uuid4())
    with pytest.raises(TaskNotFound):
        await client.store.queries.task(client.workspace, uuid4())
    assert await client.store.queries.watermark(client.workspace, uuid4()) == 0


async def test_a_workspace_sees_nothing_of_another(client: Client):
    await client.send(client.make.started(), *client.make.run("t"))
    other = await client.store.workspace("other")
    assert other != client.workspace
    with pytest.raises(BuildNotFound):
        await client.store.queries.build(other, client.make.build)
    with pytest.raises(TaskNotFound):
        await client.store.queries.task(other, task_id("t"))
    assert await client.store.listing.builds(other, None, 10) == []
    assert await client.store.queries.watermark(other, client.make.stream) == 0


@pytest.mark.parametrize("statuses", [[100_000], [2**31 - 1, -1] * 20_000])
async def test_a_status_that_is_not_known_is_that_of_nothing(client: Client, statuses: list[int]):
    await client.send(client.make.started(), *client.make.run("t"))
    listing = client.store.listing
    [row] = await listing.builds(client.workspace, None, 10, statuses=[*statuses, 1])
    assert await listing.builds(client.workspace, None, 10, statuses=statuses) == []
    assert len(await listing.task_states(row.id, None, 10, statuses=[*statuses, 5])) == 1
    assert await listing.task_states(row.id, None, 10, statuses=statuses) == []


async def test_a_build_that_another_deleted_is_made_anew(store: Store, database_url: sa.URL):
    make, other = Producer(), Store(database_url)
    workspace = await store.workspace()
    stream = await store.open_stream(workspace, make.stream, make.open)
    await store.commit([Batch(workspace, stream, 1, [make.started(), make.completed()])])
    ended = parse("status = COMPLETED", BUILD_FIELDS)
    assert ended
    builds = await other.retention.matching(workspace, ended)
    async for _ in other.retention.purge(workspace, builds):
        pass
    await store.commit([Batch(workspace, stream, 3, make.run("a"))])
    assert (await store.queries.build(workspace, make.build)).head == 3
    await other.close()
