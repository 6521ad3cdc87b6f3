"""What is new in a log, read and encoded once for all who follow it."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from stardag_server.domain.refusals import ServerDraining
from stardag_server.heads import Heads
from stardag_server.shared_reads import SharedReads

_KEPT = 4
"""Steps of a feed that are kept for those who are a little behind."""


class _Place(Hashable, Protocol):
    def __lt__(self, other: Any, /) -> bool: ...


PlaceT = TypeVar("PlaceT", bound=_Place)


@dataclass(frozen=True, slots=True)
class Step(Generic[PlaceT]):
    """What follows one place in a log, up to another: the same for all who are there."""

    responses: Sequence[bytes]
    """Encoded. None if what follows is nothing that they asked for."""
    place: PlaceT
    """Where those are who have received it."""
    last: bool = False
    """True if nothing follows it."""


@dataclass(slots=True)
class _Round:
    """The wait for the next step, which ends with it or with an error."""

    error: Exception | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Feed(Generic[PlaceT]):
    """One log, and those who follow it.

    Who has received all there was waits for the next step, which one read makes for all who do.
    The pace is that of the quickest: nothing is read while nobody waits. Who is behind is given
    the steps that are kept, or else reads what there is from where they are. So one who is slow
    keeps nobody waiting, and nothing piles up for them: at most `_KEPT` steps are held, and none
    once all wait.
    """

    def __init__(
        self,
        heads: Heads,
        log: int,
        place: PlaceT,
        covered: Callable[[PlaceT], int],
        read: Callable[[PlaceT], Awaitable[Step[PlaceT]]],
    ) -> None:
        self.followers = 0
        self._heads = heads
        self._log = log
        self._place = place
        self._covered = covered
        self._read = read
        self._reads = SharedReads()
        self._kept: dict[PlaceT, Step[PlaceT]] = {}
        self._round = _Round()
        self._waiting = 0
        self._wanted = asyncio.Event()
        self._closed = False

    async def responses(
        self, place: PlaceT, silence: float, beat: Callable[[PlaceT], bytes]
    ) -> AsyncGenerator[bytes]:
        """Yield what follows a place, to the last step; after so many seconds of silence, a beat.

        Raises what reading raises, and ServerDraining once the feed is closed.
        """
        time = asyncio.get_running_loop().time
        deadline = time() + silence
        last = False
        while not last:
            step = await self._after(place, deadline)
            if step is None:
                yield beat(place)
                deadline = time() + silence
                continue
            for response in step.responses:
                yield response
                deadline = time() + silence
            place, last = step.place, step.last

    def close(self) -> None:
        """Let nobody follow any more."""
        self._closed = True
        self._end_round(ServerDraining())

    async def run(self) -> None:
        """Make a step whenever somebody waits for it and there is one, until cancelled."""
        # What there is already may never be announced: it is read until there is no more.
        covered = -1
        with self._heads.follow(self._log):
            while True:
                await self._wanted.wait()
                await self._heads.beyond(self._log, covered)
                try:
                    step = await self._read(self._place)
                # It is theirs who wait: for each of them it ends the call.
                except Exception as error:
                    self._end_round(error)
                    continue
                moved = self._place < step.place
                if covered >= 0 or not moved:
                    covered = self._covered(step.place)
                if moved:
                    self._keep(step)
                    self._end_round()

    async def _after(self, place: PlaceT, deadline: float) -> Step[PlaceT] | None:
        """Return the next step from a place; None if there is none by the deadline."""
        while not self._closed:
            if step := self._kept.get(place):
                return step
            if place < self._place:
                return await self._reads.get(place, lambda: self._read(place))
            if not await self._next_round(deadline):
                return None
        raise ServerDraining

    async def _next_round(self, deadline: float) -> bool:
        """Wait for the end of the round; False if it has not ended by the deadline."""
        round = self._round
        self._wanted.set()
        self._waiting += 1
        if self._waiting == self.followers:
            self._kept.clear()
        try:
            async with asyncio.timeout_at(deadline):
                await round.over.wait()
        except TimeoutError:
            return False
        finally:
            if round is self._round:
                self._waiting -= 1
        if round.error:
            raise round.error.with_traceback(None)
        return True

    def _keep(self, step: Step[PlaceT]) -> None:
        self._kept[self._place] = step
        self._place = step.place
        if len(self._kept) > _KEPT:
            del self._kept[next(iter(self._kept))]

    def _end_round(self, error: Exception | None = None) -> None:
        ended, self._round = self._round, _Round()
        self._waiting = 0
        self._wanted.clear()
        ended.error = error
        ended.over.set()


class Feeds(Generic[PlaceT]):
    """The feeds of one kind of log in this process.

    `covered` returns up to which position of its log, as `heads` has it, a place is the end.
    """

    def __init__(self, heads: Heads, covered: Callable[[PlaceT], int]) -> None:
        self._heads = heads
        self._covered = covered
        self._followed: dict[Hashable, tuple[Feed[PlaceT], asyncio.Task[None]]] = {}
        self._closed = False

    @contextlib.asynccontextmanager
    async def follow(
        self,
        log: int,
        kind: Hashable,
        end: PlaceT,
        read: Callable[[PlaceT], Awaitable[Step[PlaceT]]],
    ) -> AsyncGenerator[Feed[PlaceT]]:
        """Follow a log during the block, with all who follow the same kind of what is in it.

        `end` is where the log was seen to end. `read` returns the next step from a place as of
        now, which may lead no further, and must return the same to all of this kind.
        """
        key = (log, kind)
        followed = self._followed.get(key)
        if followed is None:
            feed = Feed(self._heads, log, end, self._covered, read)
            followed = self._followed[key] = feed, asyncio.create_task(feed.run())
        feed, serving = followed
        feed.followers += 1
        try:
            self.check_open()
            yield feed
        finally:
            feed.followers -= 1
            if not feed.followers:
                del self._followed[key]
                serving.cancel()
                # What it reads must not outlive the database's connections.
                await asyncio.wait({serving})

    def check_open(self) -> None:
        """Raise ServerDraining once they are closed."""
        if self._closed:
            raise ServerDraining

    def close(self) -> None:
        """Let nobody follow any more."""
        self._closed = True
        for feed, _ in self._followed.values():
            feed.close()
