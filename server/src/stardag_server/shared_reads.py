"""Reads that many ask for at the same moment, done once."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")


@dataclass(slots=True)
class _Read:
    task: asyncio.Task[Any]
    askers: int = 0


class SharedReads:
    """Reads under way, by key: who asks for the same meanwhile gets the same answer.

    It may be as of a moment before it was asked for, by as long as a read takes.
    """

    def __init__(self) -> None:
        self._under_way: dict[Hashable, _Read] = {}

    async def get(self, key: Hashable, read: Callable[[], Awaitable[ResultT]]) -> ResultT:
        """Return what `read` returns, or raise what it raises; nobody must change the result.

        A read ends with the last that asks: none outlives the database's connections.
        """
        shared = self._under_way.get(key)
        if shared is None:
            shared = self._under_way[key] = _Read(asyncio.ensure_future(_awaited(read)))
        shared.askers += 1
        try:
            return await asyncio.shield(shared.task)
        finally:
            shared.askers -= 1
            if self._under_way.get(key) is shared and (shared.task.done() or not shared.askers):
                del self._under_way[key]
            if not shared.askers and not shared.task.done():
                shared.task.cancel()
                await asyncio.wait({shared.task})


async def _awaited(read: Callable[[], Awaitable[ResultT]]) -> ResultT:
    return await read()
