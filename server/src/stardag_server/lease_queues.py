"""The order in which those get their turn who wait for the same lease or limit."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Sequence
from typing import Any

_LOOK_EVERY = 0.25


class LeaseQueues:
    """The callers of this process that wait: who came first is the first to look again.

    Replicas do not know of each other's queues; there, chance decides.
    """

    def __init__(self) -> None:
        self._queues: dict[Hashable, _Queue] = {}
        self._given_back = asyncio.Event()

    def wake(self) -> None:
        """Have those look at once who are first: something was given back here."""
        self._given_back.set()
        self._given_back = asyncio.Event()

    @contextlib.asynccontextmanager
    async def turn(
        self, wanted: Sequence[Any], seconds: float
    ) -> AsyncGenerator[Callable[[], Awaitable[bool]]]:
        """Wait until the caller is first in all these queues, which it stays during the block.

        It gets a function that waits until it is worth looking again; False if
        the time is over. The block begins then at the latest.
        """
        deadline = asyncio.get_running_loop().time() + seconds
        async with contextlib.AsyncExitStack() as stack:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    # In one order, so that those who want several never wait in a circle.
                    for key in sorted(wanted):
                        queue = self._queues.setdefault(key, _Queue())
                        queue.length += 1
                        stack.callback(self._leave, key, queue)
                        await stack.enter_async_context(queue.first)
            yield lambda: self._look_again(deadline)

    async def _look_again(self, deadline: float) -> bool:
        now = asyncio.get_running_loop().time()
        if now >= deadline:
            return False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(min(now + _LOOK_EVERY, deadline)):
                await self._given_back.wait()
        return True

    def _leave(self, key: Hashable, queue: "_Queue") -> None:
        queue.length -= 1
        if not queue.length:
            del self._queues[key]


class _Queue:
    """Those who wait for one thing; the lock of asyncio is fair."""

    def __init__(self) -> None:
        self.first = asyncio.Lock()
        self.length = 0
