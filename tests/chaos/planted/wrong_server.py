"""Servers that lose, double, change or reorder what they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any


def acknowledge_early(submit: Any) -> Any:
    """Acknowledge a batch when it is taken in, and commit it when the stream's next one comes."""
    from stardag_server.domain.batch import Committed

    held: dict[Any, Any] = {}

    async def submitted(self: Any, batch: Any) -> asyncio.Future[Any]:
        earlier = held.pop(batch.stream.uuid, None)
        held[batch.stream.uuid] = batch
        if earlier is not None:
            await submit(self, earlier)
        outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        outcome.set_result(Committed(batch.last_committed(batch.stream.committed_sequence)))
        return outcome

    return submitted


def acknowledge_one_more(run: Any) -> Any:
    """Commit all but the last event of a batch, and acknowledge that, too."""

    async def committed(self: Any, batches: list[Any]) -> list[Any]:
        outcomes = await run(self, [replace(each, events=each.events[:-1]) for each in batches])
        return [
            replace(outcome, sequence=outcome.sequence + bool(batch.events))
            for batch, outcome in zip(batches, outcomes, strict=True)
        ]

    return committed


def take_again(_: Any) -> Any:
    """Store a batch whether or not it was stored before."""

    def already_committed(self: Any, watermark: int) -> int:
        return 0

    return already_committed


def ask_for_all(open_stream: Any) -> Any:
    """Have a producer begin at its beginning, whenever it comes."""

    async def opened(self: Any, *args: Any) -> Any:
        return replace(await open_stream(self, *args), committed_sequence=0)

    return opened


def trust_memory(take: Any) -> Any:
    """Go on with a build as it was here, whatever another server has written to it since."""

    def taken(self: Any, build: Any, key: int, head: int) -> Any:
        if build in self:
            self._folds[build].build.head = head
        return take(self, build, key, head)

    return taken


def change_a_byte(write: Any) -> Any:
    """Store events at a time that is another by a microsecond."""
    return _with_events(write, "event_time", lambda time: time + 1)


def reorder(write: Any) -> Any:
    """Store the events of a commit in the opposite order."""
    return _with_events(write, "position", lambda position: -position)


def _with_events(write: Any, column: str, change: Callable[[int], int]) -> Any:
    async def written(self: Any, connection: Any, writes: list[Any]) -> None:
        for each in writes:
            if "event_time" in getattr(each, "columns", ()):  # of events alone
                place = each.columns.index(column)
                each.rows[:] = [
                    (*row[:place], change(row[place]), *row[place + 1 :]) for row in each.rows
                ]
        await write(self, connection, writes)

    return written
