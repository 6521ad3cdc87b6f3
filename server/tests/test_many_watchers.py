"""Many watchers over a socket: they cost the database as much as one, each at its own pace."""

import contextlib
from collections.abc import AsyncGenerator, Generator
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from producer import Producer
from running_server import Client, RunningServer
from sqlalchemy import event

from stardag.v1 import event_pb2 as pb
from stardag.v1.event_service_pb2 import (
    WATCH_MODE_EVENTS,
    WATCH_MODE_STATE,
    WatchBuildRequest,
    WatchBuildResponse,
    WatchEventsRequest,
)

_CHANGES = 10
_LITTLE_AHEAD = (("grpc.http2.bdp_probe", 0), ("grpc.use_local_subchannel_pool", 1))
"""Options of a channel that takes at most 64 KiB that nobody reads."""


@contextlib.contextmanager
def reads_of_events() -> Generator[list[str]]:
    """Collect the statements of this process that read events."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "events.position" in statement:
            statements.append(statement)

    event.listen(sa.Engine, "before_cursor_execute", note)
    yield statements
    event.remove(sa.Engine, "before_cursor_execute", note)


@contextlib.asynccontextmanager
async def watching(client: Client, count: int, **request: Any) -> AsyncGenerator[list[Any]]:
    """Have so many watches, of a build if one is named; each has begun."""
    stub, kind = (
        (client.events.WatchBuild, WatchBuildRequest)
        if "build_id" in request
        else (client.events.WatchEvents, WatchEventsRequest)
    )
    calls = [stub(kind(**request), metadata=client.metadata) for _ in range(count)]
    for call in calls:
        await call.read()
    yield calls
    for call in calls:
        call.cancel()


@pytest.mark.parametrize("of", ["build", "workspace"])
async def test_a_change_is_read_once_for_all_watchers(client: Client, of: str):
    reads: list[int] = []
    for watchers in (1, 40):
        make = Producer()
        await client.publish(make.open, [make.started()])
        request = {"build_id": make.build_id} if of == "build" else {}
        async with watching(client, watchers, **request) as calls:
            with reads_of_events() as statements:
                for change in range(_CHANGES):
                    event = make.pending(f"task-{change}")
                    await client.publish(make.open, [event], first=2 + change)
                    responses = [await call.read() for call in calls]
                    assert len({response.SerializeToString() for response in responses}) == 1
        reads.append(len(statements))
    assert reads[0] == reads[1] >= _CHANGES


def failures(make: Producer, attempt: int) -> list[pb.NewEvent]:
    """Return events that make half a megabyte of what a watcher gets."""
    trace = {"stack_trace": "s" * 30_000}
    return [
        make.event(pb.EVENT_TYPE_TASK_FAILED, str(task), attempt, failure=trace)
        for task in range(17)
    ]


@pytest.mark.parametrize("mode", [WATCH_MODE_STATE, WATCH_MODE_EVENTS])
async def test_one_that_does_not_read_for_a_while_holds_back_nobody(
    server: RunningServer, client: Client, mode: int
):
    make = Producer()
    await client.publish(make.open, [make.started()])
    request = {"build_id": make.build_id, "mode": mode}
    async with (
        grpc.aio.insecure_channel(server.address, options=_LITTLE_AHEAD) as channel,
        watching(Client(channel, client.metadata), 1, **request) as [slow],
        watching(client, 1, **request) as [quick],
    ):
        for attempt in range(1, _CHANGES + 1):
            first = 2 + 17 * (attempt - 1)
            await client.publish(make.open, failures(make, attempt), first=first)
            assert len(items(await quick.read())) == 17
        await client.publish(make.open, [make.completed()], first=2 + 17 * _CHANGES)
        late: list[WatchBuildResponse] = []
        while (response := await slow.read()) is not grpc.aio.EOF:
            late.append(response)
    received = [item for response in late for item in items(response)]
    if mode == WATCH_MODE_EVENTS:
        assert [event.position for event in received] == [*range(2, 3 + 17 * _CHANGES)]
    else:
        # What changed while it did not read comes as it is in the end.
        assert len(received) < 17 * _CHANGES
        assert {state.attempt for state in items(late[-1]) or items(late[-2])} == {_CHANGES}


def items(response: WatchBuildResponse) -> list[Any]:
    return [*response.events, *response.task_states]
