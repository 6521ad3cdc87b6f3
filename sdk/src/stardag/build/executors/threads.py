"""Attempts in threads of this process."""

from __future__ import annotations

import contextvars
import os
import threading
from collections import deque
from typing import TYPE_CHECKING

from stardag.build.attempt import Attempt, Failed, advance
from stardag.build.executors.port import Executor
from stardag.build.locks import perform_leased

if TYPE_CHECKING:
    from collections.abc import Callable
    from queue import SimpleQueue

    from stardag.build.attempt import Outcome
    from stardag.build.executors.port import Ended


class ThreadExecutor(Executor):
    """Runs attempts in threads, started when they are needed.

    The threads don't keep the process alive: after a second Ctrl-C it ends, whatever runs.
    """

    def __init__(self, max_workers: int | None = None) -> None:
        """Use `max_workers` threads at most; by default four more than cores, 32 at most."""
        self._slots = min(32, (os.cpu_count() or 1) + 4) if max_workers is None else max_workers
        if self._slots < 1:
            raise ValueError(f"max_workers must be at least 1, not {max_workers}")
        self._pool: _Pool | None = None

    @property
    def slots(self) -> int:
        """The number of threads there may be."""
        return self._slots

    def submit(self, attempt: Attempt, ended: Ended) -> None:
        """Hand the attempt to a thread that is idle, or to a new one."""
        if self._pool is None:
            self._pool = _Pool(self.perform)
        self._pool.submit(attempt, ended)

    def close(self) -> None:
        """Let the threads end when what they run has ended."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def perform(self, attempt: Attempt) -> Outcome:
        """Run an attempt, in the thread that this is called in."""
        return advance(attempt)


class _Pool:
    """Threads that serve one queue. Each attempt sees the context variables of the creator."""

    def __init__(self, perform: Callable[[Attempt], Outcome]) -> None:
        from queue import SimpleQueue  # not before: importing stardag stays light

        self._perform = perform
        self._context = contextvars.copy_context()
        self._work: SimpleQueue[tuple[Attempt, Ended] | None] = SimpleQueue()
        self._idle: deque[None] = deque()  # one entry for each thread that waits for work
        self._threads = 0

    def submit(self, attempt: Attempt, ended: Ended) -> None:
        try:
            self._idle.pop()
        except IndexError:
            self._threads += 1
            name = f"stardag-{self._threads}"
            threading.Thread(target=self._serve, name=name, daemon=True).start()
        self._work.put((attempt, ended))

    def close(self) -> None:
        for _ in range(self._threads):
            self._work.put(None)

    def _serve(self) -> None:
        while (item := self._work.get()) is not None:
            attempt, ended = item
            try:
                outcome = self._context.copy().run(perform_leased, attempt, self._perform)
            except BaseException as error:  # KeyboardInterrupt, raised by hand: no real one comes
                outcome = Failed(error)
            self._idle.append(None)
            ended(attempt, outcome)
