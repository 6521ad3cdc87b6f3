"""The driver that runs tasks in threads, as many at once as their dependencies allow."""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from stardag.build.attempt import Failed

if TYPE_CHECKING:
    from stardag.build.attempt import Outcome
    from stardag.build.run import BuildRun


async def drive(run: BuildRun, max_workers: int) -> None:
    """Run tasks until there are no more.

    When the asyncio task is cancelled (which is how `asyncio.run` passes on Ctrl-C), nothing
    more is started, and what runs is waited for.
    """
    ended: deque[tuple[int, Outcome]] = deque()
    wake = asyncio.Event()
    loop = asyncio.get_running_loop()
    context = contextvars.copy_context()

    def work(number: int) -> None:
        try:
            outcome = context.copy().run(run.advance, number)
        except KeyboardInterrupt as error:  # raised by hand: a real one never comes to a thread
            outcome = Failed(error)
        ended.append((number, outcome))
        loop.call_soon_threadsafe(wake.set)

    def submit_ready() -> None:
        while run.running < max_workers and (number := run.take()) is not None:
            pool.submit(work, number)

    with ThreadPoolExecutor(max_workers, thread_name_prefix="stardag") as pool:
        try:
            submit_ready()
            while run.running:
                await wake.wait()
                wake.clear()
                while ended:
                    run.settle(*ended.popleft())
                submit_ready()
        except asyncio.CancelledError:
            pool.shutdown(cancel_futures=True)
            while ended:
                run.settle(*ended.popleft())
            raise
