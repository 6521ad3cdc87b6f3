"""Those who follow one log share its reads, and who is slow harms nobody."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stardag_server.domain.refusals import ServerDraining, StorageUnavailable
from stardag_server.feeds import Feed, Feeds, Step
from stardag_server.heads import Heads

_LOG = 7
_PAGE = 10
_NEVER = 3600.0


class Log:
    """A log of positions from 1 on, read in pages; each response is one position as text."""

    def __init__(self) -> None:
        self.head = 0
        self.reads = 0
        self.away = False
        self.heads = Heads(self._heads)
        self.feeds = Feeds[int](self.heads, covered=lambda position: position)

    async def _heads(self, _logs: object) -> dict[int, int]:
        return {_LOG: self.head}

    def append(self, count: int = 1) -> None:
        self.head += count
        self.heads.announce({_LOG: self.head})

    async def step(self, position: int) -> Step[int]:
        self.reads += 1
        until = min(self.head, position + _PAGE)
        await asyncio.sleep(0)
        if self.away:
            raise StorageUnavailable
        responses = [str(number).encode() for number in range(position + 1, until + 1)]
        return Step(responses, until)

    def follow(self) -> contextlib.AbstractAsyncContextManager[Feed[int]]:
        return self.feeds.follow(_LOG, "all", self.head, self.step)


class Follower:
    """One who follows the log from its end on, as far as it is asked to."""

    def __init__(self, feed: Feed[int], place: int, silence: float = _NEVER) -> None:
        self._responses = feed.responses(place, silence, lambda at: b"beat at %d" % at)

    async def next(self, count: int = 1) -> list[bytes]:
        async with asyncio.timeout(20):
            return [await anext(self._responses) for _ in range(count)]


@pytest.fixture
async def log() -> AsyncGenerator[Log]:
    """A log; nothing of its feeds is left at the end."""
    log = Log()
    before = asyncio.all_tasks()
    yield log
    assert not {task for task in asyncio.all_tasks() - before if "Feed" in str(task)}


@contextlib.asynccontextmanager
async def followers(log: Log, count: int) -> AsyncGenerator[list[Follower]]:
    async with contextlib.AsyncExitStack() as stack:
        begin = log.head
        feeds = [await stack.enter_async_context(log.follow()) for _ in range(count)]
        yield [Follower(feed, begin) for feed in feeds]


async def test_one_read_a_change_serves_a_thousand(log: Log):
    async with followers(log, 1_000) as all:
        for change in range(1, 11):
            waiting = [asyncio.create_task(each.next()) for each in all]
            await asyncio.sleep(0)
            log.append()
            received = await asyncio.gather(*waiting)
            assert received == [[b"%d" % change]] * 1_000
    # One more for what there may have been before anybody followed.
    assert log.reads <= 11


async def test_one_who_does_not_read_keeps_nobody_waiting_and_nothing_for_itself(log: Log):
    async with log.follow() as feed, log.follow():
        slow, quick = Follower(feed, 0), Follower(feed, 0)
        log.append()
        assert await slow.next() == await quick.next() == [b"1"]
        for change in range(2, 102):
            log.append()
            assert await quick.next() == [b"%d" % change]
        assert len(feed._kept) <= 4
        reads = log.reads
        assert await slow.next(100) == [b"%d" % change for change in range(2, 102)]
        # In as few steps as if all had been written at once.
        assert log.reads - reads <= 100 / _PAGE
        waiting = [asyncio.create_task(each.next()) for each in (slow, quick)]
        await asyncio.sleep(0)
        assert not feed._kept
        log.append()
        assert await asyncio.gather(*waiting) == [[b"102"]] * 2


async def test_those_who_are_equally_behind_share_a_read(log: Log):
    async with followers(log, 50) as all:
        quick, *slow = all
        for _ in range(10):
            log.append()
            await quick.next()
        reads = log.reads
        received = await asyncio.gather(*(each.next(10) for each in slow))
        assert received == [[b"%d" % number for number in range(1, 11)]] * 49
        assert log.reads == reads + 1


async def test_an_error_ends_those_who_wait_and_others_go_on_after_it(log: Log):
    async with followers(log, 10) as all:
        waiting = [asyncio.create_task(each.next()) for each in all]
        await asyncio.sleep(0)
        log.away = True
        log.append()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {StorageUnavailable}
        log.away = False
        async with log.follow() as feed:
            assert await Follower(feed, 0).next() == [b"1"]


async def test_silence_is_broken_by_beats_whatever_there_is_that_nobody_asked_for(log: Log):
    async def nothing(position: int) -> Step[int]:
        log.append()
        return Step((), position + 1)

    async with log.feeds.follow(_LOG, "none", 0, nothing) as feed:
        [beat] = await Follower(feed, 0, silence=0.01).next()
        assert beat.startswith(b"beat at ")


async def test_once_closed_nobody_follows_any_more(log: Log):
    async with followers(log, 2) as (waiting, slow):
        task = asyncio.create_task(waiting.next())
        await asyncio.sleep(0)
        log.append(2)
        await task
        await slow.next()
        task = asyncio.create_task(waiting.next(2))
        await asyncio.sleep(0)
        log.feeds.close()
        for ended in (task, slow.next(2)):
            with pytest.raises(ServerDraining):
                await ended
    with pytest.raises(ServerDraining):
        async with log.follow():
            pass


@example([(3, 2 * _PAGE)])
@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 25)), max_size=40))
async def test_however_slowly_each_reads_none_misses_or_repeats_anything(
    acts: list[tuple[int, int]],
):
    log = Log()
    async with followers(log, 3) as all:
        received: list[list[bytes]] = [[] for _ in all]
        for who, count in acts:
            if who == len(all):
                log.append(count)
                continue
            left = log.head - len(received[who])
            received[who] += await all[who].next(min(count, left))
        for each, had in zip(all, received, strict=True):
            had += await each.next(log.head - len(had))
    assert received == [[b"%d" % position for position in range(1, log.head + 1)]] * 3
