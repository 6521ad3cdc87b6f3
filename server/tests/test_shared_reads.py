"""A read that many ask for at once is done once."""

import asyncio

import pytest

from stardag_server.shared_reads import SharedReads


class Source:
    """What can be read: each time the next number, once the gate is open."""

    def __init__(self) -> None:
        self.reads = 0
        self.gate = asyncio.Event()

    async def read(self) -> int:
        self.reads += 1
        number = self.reads
        await self.gate.wait()
        if number == 3:
            raise ValueError("three")
        return number


async def test_all_who_ask_meanwhile_get_one_answer_and_the_next_another():
    reads, source = SharedReads(), Source()
    asked = [asyncio.create_task(reads.get("key", source.read)) for _ in range(100)]
    await asyncio.sleep(0)
    source.gate.set()
    assert await asyncio.gather(*asked) == [1] * 100
    assert await reads.get("key", source.read) == 2
    with pytest.raises(ValueError, match="three"):
        await reads.get("key", source.read)
    assert await reads.get("key", source.read) == 4


async def test_one_who_goes_away_takes_the_answer_from_nobody():
    reads, source = SharedReads(), Source()
    first, second = (asyncio.create_task(reads.get("key", source.read)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    source.gate.set()
    assert await second == 1 and first.cancelled()
