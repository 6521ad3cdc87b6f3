"""How far each log that somebody follows has come."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field

from stardag_server.repeating import repeatedly

_INTERVAL = 1.0


@dataclass(slots=True)
class _Followed:
    head: int = 0
    followers: int = 0
    moved: asyncio.Event = field(default_factory=asyncio.Event)


class Heads:
    """The heads of the logs of one kind that somebody follows, by key.

    They are announced, or found by one query for all that are followed: when something woke us,
    and every second. So what wakes us says only that there may be news, and one wake-up too many,
    or one that is lost, costs time and nothing else. `read` is that query.
    """

    def __init__(self, read: Callable[[Sequence[int]], Awaitable[Mapping[int, int]]]) -> None:
        self._read = read
        self._followed: dict[int, _Followed] = {}
        self._woken = asyncio.Event()

    @contextlib.contextmanager
    def follow(self, log: int) -> Generator[None]:
        """Look for news of a log during the block."""
        followed = self._followed.setdefault(log, _Followed())
        followed.followers += 1
        try:
            yield
        finally:
            followed.followers -= 1
            if not followed.followers:
                del self._followed[log]

    async def beyond(self, log: int, position: int) -> None:
        """Wait until the head of a followed log may be beyond the position."""
        followed = self._followed[log]
        while followed.head <= position:
            await followed.moved.wait()

    def announce(self, heads: Mapping[int, int]) -> None:
        """Take note of heads of logs, followed or not."""
        for log, head in heads.items():
            followed = self._followed.get(log)
            if followed and head > followed.head:
                followed.head = head
                followed.moved.set()
                followed.moved = asyncio.Event()

    def wake(self) -> None:
        """Have the heads looked at: there may be news."""
        self._woken.set()

    async def look(self) -> None:
        """Look at the heads of all logs that are followed. Raises StorageUnavailable."""
        if self._followed:
            self.announce(await self._read([*self._followed]))

    async def run(self) -> None:
        """Look for what nobody announces, until cancelled."""
        await repeatedly("look for news", self.look, _INTERVAL, wake=self._woken)
