"""Leases and concurrency limits, over a real socket and on both databases."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest
import sqlalchemy as sa
from producer import Producer, task_id
from running_server import Client, Refused, RunningServer
from sqlalchemy.ext.asyncio import create_async_engine

from stardag.v1 import event_pb2 as pb
from stardag.v1.lease_pb2 import ConcurrencyLimit, LimitSlots
from stardag.v1.lease_service_pb2 import (
    LEASE_OUTCOME_ACQUIRED,
    LEASE_OUTCOME_HELD,
    LEASE_OUTCOME_LIMIT_REACHED,
    AcquireLeaseRequest,
    AcquireLeaseResponse,
    DeleteConcurrencyLimitRequest,
    LeaseReference,
    ListConcurrencyLimitsRequest,
    ListLeasesRequest,
    PutConcurrencyLimitRequest,
    ReleaseLeasesRequest,
    RenewLeasesRequest,
    RenewLeasesResponse,
    RevokeLeaseRequest,
)

MINUTE: Any = timedelta(minutes=1)


class Holder:
    """One who asks for leases."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.id = str(uuid4())

    async def acquire(self, name: str, **more: Any) -> AcquireLeaseResponse:
        request = AcquireLeaseRequest(name=name, holder_id=self.id, **{"ttl": MINUTE, **more})
        return await self.client.leases.AcquireLease(request, metadata=self.client.metadata)

    async def token(self, name: str, **more: Any) -> int:
        """Acquire a lease, which must work; return its token."""
        response = await self.acquire(name, **more)
        assert response.outcome == LEASE_OUTCOME_ACQUIRED
        return response.lease.fencing_token

    async def renew(self, **tokens: int) -> RenewLeasesResponse:
        request = RenewLeasesRequest(holder_id=self.id, leases=references(tokens), ttl=MINUTE)
        return await self.client.leases.RenewLeases(request, metadata=self.client.metadata)

    async def release(self, **tokens: int) -> int:
        request = ReleaseLeasesRequest(holder_id=self.id, leases=references(tokens))
        response = await self.client.leases.ReleaseLeases(request, metadata=self.client.metadata)
        return response.released_count


def references(tokens: dict[str, int]) -> list[LeaseReference]:
    return [LeaseReference(name=name, fencing_token=token) for name, token in tokens.items()]


@pytest.fixture
def one(client: Client) -> Holder:
    return Holder(client)


@pytest.fixture
def other(client: Client) -> Holder:
    return Holder(client)


async def put_limit(client: Client, name: str, max_slots: int) -> ConcurrencyLimit:
    request = PutConcurrencyLimitRequest(limit=ConcurrencyLimit(name=name, max_slots=max_slots))
    return (await client.leases.PutConcurrencyLimit(request, metadata=client.metadata)).limit


async def used_slots(client: Client) -> dict[str, int]:
    request = ListConcurrencyLimitsRequest()
    response = await client.leases.ListConcurrencyLimits(request, metadata=client.metadata)
    return {limit.name: limit.used_slots for limit in response.limits}


async def listed(client: Client, **more: Any) -> list[str]:
    names: list[str] = []
    request = ListLeasesRequest(page_size=2, **more)
    while True:
        page = await client.leases.ListLeases(request, metadata=client.metadata)
        names += [lease.name for lease in page.leases]
        if not page.next_page_token:
            return names
        request.page_token = page.next_page_token


async def execute(url: sa.URL, statement: str) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(sa.text(statement))
    await engine.dispose()


async def pass_time(url: sa.URL, seconds: float) -> None:
    """Make all leases end so much earlier."""
    moved = round(seconds * 1_000_000)
    await execute(url, f"UPDATE leases SET expire_time = expire_time - {moved}")


async def refusal(call: Any) -> Refused:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return Refused.of(caught.value)


async def test_a_lease_is_held_by_one(one: Holder, other: Holder):
    mine = await one.acquire("x")
    assert mine.outcome == LEASE_OUTCOME_ACQUIRED and mine.lease.holder_id == one.id
    assert 59 < mine.lease.time_left.ToTimedelta().total_seconds() <= 60
    theirs = await other.acquire("x")
    assert theirs.outcome == LEASE_OUTCOME_HELD and theirs.lease.holder_id == one.id
    assert theirs.retry_after.ToTimedelta() > timedelta(0)
    assert (await other.acquire("y")).outcome == LEASE_OUTCOME_ACQUIRED


async def test_to_ask_again_keeps_the_token(one: Holder):
    token = await one.token("x")
    again = await one.acquire("x", ttl=timedelta(minutes=2))
    assert again.lease.fencing_token == token
    assert again.lease.time_left.ToTimedelta() > timedelta(minutes=1)


async def test_each_change_of_hands_has_a_greater_token(one: Holder, other: Holder):
    tokens = [await one.token("x"), await one.token("y")]
    for _ in range(3):
        for holder in (one, other):
            assert await holder.release(x=tokens[-1]) in (0, 1)
            await one.release(x=tokens[0])
            tokens.append(await holder.token("x"))
            assert await holder.release(x=tokens[-1]) == 1
    assert tokens == sorted({*tokens})


async def test_what_is_over_can_be_had_and_is_lost_to_its_holder(
    one: Holder, other: Holder, database_url: sa.URL
):
    token = await one.token("x")
    await pass_time(database_url, 61)
    # Even while nobody has it: its slots may have been given to others.
    assert list((await one.renew(x=token)).lost) == ["x"]
    assert await other.token("x") > token
    assert await one.release(x=token) == 0
    assert (await one.acquire("x")).outcome == LEASE_OUTCOME_HELD


async def test_renewing_tells_of_each_lease_what_became_of_it(
    one: Holder, other: Holder, database_url: sa.URL
):
    x, y, z = await one.token("x"), await other.token("y"), await one.token("z")
    await pass_time(database_url, 50)
    response = await one.renew(x=x, y=y, z=z + 100, never=1)
    assert [lease.name for lease in response.renewed] == ["x"]
    assert response.renewed[0].fencing_token == x
    assert response.renewed[0].time_left.ToTimedelta() > timedelta(seconds=59)
    assert list(response.lost) == ["y", "z", "never"]


async def test_a_revoked_lease_is_lost(one: Holder, other: Holder):
    token = await one.token("x")

    async def revoke(token: int) -> bool:
        request = RevokeLeaseRequest(name="x", fencing_token=token)
        client = one.client
        return (await client.leases.RevokeLease(request, metadata=client.metadata)).revoked

    assert not await revoke(token + 1)
    assert await revoke(token)
    assert not await revoke(token)
    assert list((await one.renew(x=token)).lost) == ["x"]
    assert await other.token("x") > token


async def test_of_many_who_ask_at_once_one_gets_it(server: RunningServer):
    async with server.client() as client:
        asked = await asyncio.gather(*(Holder(client).acquire("x") for _ in range(30)))
    outcomes = [response.outcome for response in asked]
    assert outcomes.count(LEASE_OUTCOME_ACQUIRED) == 1
    assert outcomes.count(LEASE_OUTCOME_HELD) == 29


async def test_a_limit_has_its_slots_and_no_more(one: Holder, database_url: sa.URL):
    client = one.client
    await put_limit(client, "gpu", 3)
    gpu = [LimitSlots(limit="gpu", slots=2)]
    x = await one.token("x", slots=gpu)
    assert await one.token("x", slots=gpu) == x
    refused = await one.acquire("y", slots=gpu)
    assert (refused.outcome, refused.limit) == (LEASE_OUTCOME_LIMIT_REACHED, "gpu")
    assert not refused.HasField("lease")
    assert await listed(client) == ["x"]
    await one.token("z", slots=[LimitSlots(limit="gpu")])
    assert await used_slots(client) == {"gpu": 3}
    await one.release(x=x)
    assert await used_slots(client) == {"gpu": 1}
    await pass_time(database_url, 61)
    assert await used_slots(client) == {"gpu": 0}
    await one.token("y", slots=[LimitSlots(limit="gpu", slots=3)])


async def test_all_slots_are_had_or_none(one: Holder):
    client = one.client
    await put_limit(client, "gpu", 1)
    await put_limit(client, "cpu", 0)
    both = [LimitSlots(limit="gpu"), LimitSlots(limit="cpu")]
    assert (await one.acquire("x", slots=both)).limit == "cpu"
    assert await used_slots(client) == {"cpu": 0, "gpu": 0}


async def test_of_many_who_ask_at_once_as_many_get_in_as_there_are_slots(server: RunningServer):
    async with server.client() as client:
        await put_limit(client, "a", 4)
        await put_limit(client, "b", 9)
        slots = [LimitSlots(limit="b"), LimitSlots(limit="a")]
        asked = await asyncio.gather(
            *(Holder(client).acquire(str(n), slots=slots[:: (-1) ** n]) for n in range(20))
        )
        outcomes = [response.outcome for response in asked]
        assert outcomes.count(LEASE_OUTCOME_ACQUIRED) == 4
        assert await used_slots(client) == {"a": 4, "b": 4}


async def test_a_lowered_limit_takes_no_lease_away(one: Holder):
    client = one.client
    await put_limit(client, "gpu", 2)
    x = await one.token("x", slots=[LimitSlots(limit="gpu", slots=2)])
    assert (await put_limit(client, "gpu", 1)).used_slots == 2
    assert (await one.renew(x=x)).renewed[0].slots[0].slots == 2


async def test_a_limit_in_use_is_not_deleted(one: Holder):
    client = one.client
    await put_limit(client, "gpu", 1)
    x = await one.token("x", slots=[LimitSlots(limit="gpu")])

    async def delete() -> None:
        request = DeleteConcurrencyLimitRequest(name="gpu")
        await client.leases.DeleteConcurrencyLimit(request, metadata=client.metadata)

    refused = await refusal(delete())
    assert (refused.reason, refused.metadata["usedSlots"]) == ("LIMIT_IN_USE", "1")
    await one.release(x=x)
    await delete()
    await delete()
    assert await used_slots(client) == {}
    refused = await refusal(one.acquire("x", slots=[LimitSlots(limit="gpu")]))
    assert (refused.reason, refused.metadata) == ("LIMIT_NOT_FOUND", {"limit": "gpu"})


async def test_held_leases_are_listed_by_name(one: Holder, database_url: sa.URL):
    client, build = one.client, str(uuid4())
    await put_limit(client, "gpu", 9)
    await one.token("ended")
    await pass_time(database_url, 61)
    for name in ("d", "b", "a", "c", "e"):
        slots = [LimitSlots(limit="gpu")] if name in "ace" else []
        await one.token(name, slots=slots, build_id=build if name in "ab" else "")
    assert await listed(client) == ["a", "b", "c", "d", "e"]
    assert await listed(client, limit="gpu") == ["a", "c", "e"]
    assert await listed(client, build_id=build) == ["a", "b"]
    assert await listed(client, build_id=build, limit="gpu") == ["a"]


async def test_who_waits_gets_it_when_it_is_given_back_first_come_first_served(
    one: Holder, client: Client
):
    token = await one.token("x")
    waiting: list[asyncio.Task[AcquireLeaseResponse]] = []
    holders = [Holder(client) for _ in range(3)]
    for holder in holders:
        waiting.append(asyncio.create_task(holder.acquire("x", max_wait=MINUTE)))
        await asyncio.sleep(0.1)
    await one.release(x=token)
    for holder, task in zip(holders, waiting, strict=True):
        response = await task
        assert response.outcome == LEASE_OUTCOME_ACQUIRED
        assert response.lease.fencing_token > token
        token = response.lease.fencing_token
        assert await holder.release(x=token) == 1


async def test_who_waits_in_vain_is_told(one: Holder, other: Holder):
    await one.token("x")
    response = await other.acquire("x", max_wait=timedelta(seconds=0.2))
    assert response.outcome == LEASE_OUTCOME_HELD


async def test_who_left_gets_nothing(one: Holder, client: Client):
    token = await one.token("x")
    gone, stays = Holder(client), Holder(client)
    first = asyncio.create_task(gone.acquire("x", max_wait=MINUTE))
    await asyncio.sleep(0.1)
    second = asyncio.create_task(stays.acquire("x", max_wait=MINUTE))
    await asyncio.sleep(0.1)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await one.release(x=token)
    assert (await second).lease.holder_id == stays.id


async def test_what_is_said_under_a_lost_lease_is_rejected(
    one: Holder, other: Holder, database_url: sa.URL
):
    lease = str(task_id("t"))
    old = await one.token(lease)
    make = Producer()
    started = make.event(pb.EVENT_TYPE_TASK_STARTED, "t", 1)
    started.fencing_token = old
    events = [make.started(), make.pending("t"), started]
    assert not (await one.client.publish(make.open, events)).rejected_count
    await pass_time(database_url, 61)
    new = await other.token(lease)
    late, current = (make.event(pb.EVENT_TYPE_TASK_COMPLETED, "t", n) for n in (1, 2))
    late.fencing_token, current.fencing_token = old, new
    ack = await one.client.publish(make.open, [late, current], first=4)
    assert [rejection.reason for rejection in ack.rejections] == [pb.EVENT_REJECTION_REASON_FENCED]
    assert [rejection.sequence for rejection in ack.rejections] == [4]


async def test_a_list_whose_last_lease_is_forgotten_says_that_it_can_not_go_on(
    one: Holder, database_url: sa.URL
):
    client = one.client
    for name in "abc":
        await one.token(name)
    first = await client.leases.ListLeases(ListLeasesRequest(page_size=1), metadata=client.metadata)
    await execute(database_url, "DELETE FROM leases WHERE name = 'a'")
    refused = await refusal(listed(client, page_token=first.next_page_token))
    assert (refused.code, refused.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "PAGE_TOKEN_INVALID",
    )


async def test_a_limit_too_many_is_refused_and_those_there_are_can_be_changed(
    client: Client, database_url: sa.URL
):
    await put_limit(client, "l0", 1)
    await execute(
        database_url,
        "INSERT INTO concurrency_limits (workspace_id, name, max_slots, description)"
        " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999)"
        " SELECT (SELECT workspace_id FROM concurrency_limits), 'l' || i, 1, '' FROM n",
    )
    refused = await refusal(put_limit(client, "new", 1))
    assert (refused.code, refused.reason) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "QUOTA_EXCEEDED",
    )
    assert refused.metadata == {"quota": "concurrency limits", "limit": "1000"}
    assert refused.quotas == ["workspace"]
    assert (await put_limit(client, "l7", 9)).max_slots == 9
    assert {*await used_slots(client)} == {f"l{n}" for n in range(1_000)}


HOLDER = str(UUID(int=1))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "n" * 256}, "name"),
        ({"name": "a\x00"}, "name"),
        ({"holder_id": "me"}, "holder_id"),
        ({"ttl": timedelta(seconds=4.9)}, "ttl"),
        ({"ttl": timedelta(hours=1, seconds=1)}, "ttl"),
        ({"max_wait": timedelta(seconds=61)}, "max_wait"),
        ({"build_id": "b"}, "build_id"),
        ({"slots": [LimitSlots(limit="A")]}, "slots[0].limit"),
        ({"slots": [LimitSlots(limit="a"), LimitSlots(limit="a")]}, "slots[1].limit"),
        ({"slots": [LimitSlots(limit=str(n)) for n in range(9)]}, "slots"),
        ({"slots": [LimitSlots(limit="a", slots=1_000_001)]}, "slots[0].slots"),
    ],
)
async def test_what_breaks_a_rule_names_its_field(
    client: Client, fields: dict[str, Any], field: str
):
    sound: dict[str, Any] = {"name": "x", "holder_id": HOLDER, "ttl": MINUTE}
    request = AcquireLeaseRequest(**(sound | fields))
    refused = await refusal(client.leases.AcquireLease(request, metadata=client.metadata))
    assert (refused.reason, refused.fields) == ("REQUEST_INVALID", [field])
    assert await listed(client) == []


REFERENCE = LeaseReference(name="x", fencing_token=1)


WRONG: list[tuple[Any, str]] = [
    (RenewLeasesRequest(holder_id="me", ttl=MINUTE), "holder_id"),
    (RenewLeasesRequest(holder_id=HOLDER), "ttl"),
    (
        RenewLeasesRequest(holder_id=HOLDER, ttl=MINUTE, leases=[REFERENCE] * 1_001),
        "leases",
    ),
    (
        RenewLeasesRequest(
            holder_id=HOLDER,
            ttl=MINUTE,
            leases=references({"x\0": 1}),
        ),
        "leases[0].name",
    ),
    (
        ReleaseLeasesRequest(holder_id=HOLDER, leases=references({"x": 1 << 63})),
        "leases[0].fencing_token",
    ),
    (
        ReleaseLeasesRequest(
            holder_id=HOLDER, leases=[REFERENCE, LeaseReference(name="x", fencing_token=2)]
        ),
        "leases[1]",
    ),
    (RevokeLeaseRequest(fencing_token=1), "name"),
    (RevokeLeaseRequest(name="x", fencing_token=1 << 63), "fencing_token"),
    (ListLeasesRequest(limit="GPU"), "limit"),
    (PutConcurrencyLimitRequest(limit=ConcurrencyLimit(name="a b")), "limit.name"),
    (
        PutConcurrencyLimitRequest(limit=ConcurrencyLimit(name="a", max_slots=1_000_001)),
        "limit.max_slots",
    ),
    (
        PutConcurrencyLimitRequest(limit=ConcurrencyLimit(name="a", description="d" * 1_025)),
        "limit.description",
    ),
    (DeleteConcurrencyLimitRequest(), "name"),
]


async def test_each_method_names_the_field_that_breaks_a_rule(one: Holder):
    client = one.client
    token = await one.token("x")
    for request, field in WRONG:
        method = getattr(client.leases, type(request).__name__.removesuffix("Request"))
        refused = await refusal(method(request, metadata=client.metadata))
        assert refused.code == grpc.StatusCode.INVALID_ARGUMENT
        assert (refused.reason, refused.fields) == ("REQUEST_INVALID", [field])
    assert await one.token("x") == token
    assert await used_slots(client) == {}


async def test_a_lease_named_twice_is_renewed_and_given_back_once(one: Holder):
    client, token = one.client, await one.token("x")
    twice = references({"x": token}) * 2
    renew = RenewLeasesRequest(holder_id=one.id, leases=twice, ttl=MINUTE)
    assert len((await client.leases.RenewLeases(renew, metadata=client.metadata)).renewed) == 1
    release = ReleaseLeasesRequest(holder_id=one.id, leases=twice)
    response = await client.leases.ReleaseLeases(release, metadata=client.metadata)
    assert response.released_count == 1


async def test_a_lease_whose_limit_is_not_known_is_not_had(one: Holder, other: Holder):
    refused = await refusal(one.acquire("x", slots=[LimitSlots(limit="gpu")]))
    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "LIMIT_NOT_FOUND")
    await other.token("x")
