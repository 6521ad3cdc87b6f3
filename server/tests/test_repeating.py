"""What is done in the background goes on, whatever it fails by."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable

import pytest

from stardag_server.domain.refusals import StorageUnavailable
from stardag_server.repeating import repeatedly

_NEVER = 3600.0


class Work:
    """Work that fails by what it is given, and then does not; it can be waited for."""

    def __init__(self, *faults: Exception) -> None:
        self._faults = [*faults]
        self.done = asyncio.Semaphore(0)

    async def do(self) -> None:
        if self._faults:
            raise self._faults.pop(0)
        self.done.release()


@contextlib.asynccontextmanager
async def during(work: Awaitable[None]) -> AsyncGenerator[None]:
    task = asyncio.ensure_future(work)
    async with asyncio.timeout(20):
        yield
    assert not task.done()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("fault", [StorageUnavailable, ZeroDivisionError])
async def test_it_says_what_failed_and_goes_on(
    fault: Callable[[], Exception], caplog: pytest.LogCaptureFixture
):
    work = Work(fault(), fault())
    async with during(repeatedly("do it", work.do, 0)):
        await work.done.acquire()
        await work.done.acquire()
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2 and all(each.startswith("can't do it") for each in said)


async def test_it_can_be_woken_before_its_time():
    work, wake = Work(), asyncio.Event()
    async with during(repeatedly("do it", work.do, _NEVER, wake=wake)):
        for _ in range(3):
            wake.set()
            await work.done.acquire()


async def test_the_first_time_may_come_sooner():
    work = Work()
    async with during(repeatedly("do it", work.do, _NEVER, first=0)):
        await work.done.acquire()
