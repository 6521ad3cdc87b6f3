"""The loop that has attempts run, and settles how they end."""

from __future__ import annotations

from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stardag.build.attempt import Attempt, Outcome
    from stardag.build.run import BuildRun


class Driver:
    """Drives one build, in the thread that calls `drive`."""

    def __init__(self, run: BuildRun) -> None:
        """Make the driver of a build that has been started."""
        self._run = run
        self._news: SimpleQueue[tuple[Attempt, Outcome] | None] = SimpleQueue()
        self.stopped = False
        """Whether the build was stopped before its end."""

    def stop(self) -> None:
        """Have the build stop politely. May be called from any thread, and a signal handler."""
        self._news.put(None)

    def drive(self) -> None:
        """Run tasks until there are no more.

        Once stopped, starts nothing more, asks what runs to end, and waits for it. Raises
        KeyboardInterrupt where it comes.
        """
        run, news = self._run, self._news

        def ended(attempt: Attempt, outcome: Outcome) -> None:
            news.put((attempt, outcome))

        while True:
            run.release_due()
            while (taken := run.take()) is not None:
                attempt, executor = taken
                executor.submit(attempt, ended)
            if run.is_over and news.empty():
                return
            try:
                self._settle(news.get(timeout=run.wait_s))
                while not news.empty():
                    self._settle(news.get())
            except Empty:
                continue  # something is due

    def _settle(self, item: tuple[Attempt, Outcome] | None) -> None:
        if item is None:
            self.stopped = True
            self._run.stop()
        else:
            self._run.settle(*item)
