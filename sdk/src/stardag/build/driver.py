"""The loop that has attempts run, and settles how they end."""

from __future__ import annotations

from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from stardag.build.attempt import Attempt, Outcome
    from stardag.build.run import BuildRun


_ASK_EVERY_S = 1.0


class Driver:
    """Drives one build, in the thread that calls `drive`."""

    def __init__(self, run: BuildRun, stop_requested: Callable[[], str | None]) -> None:
        """Make the driver of a build that has been started.

        Every second, `stop_requested` is asked why the build is to stop; None if it is not.
        """
        self._run = run
        self._stop_requested = stop_requested
        self._ask_at = 0.0
        self._news: SimpleQueue[tuple[Attempt, Outcome] | None] = SimpleQueue()
        self.stopped = False
        """Whether the build was stopped before its end."""
        self.stop_reason: str | None = None
        """Why it was, if somebody elsewhere asked for it."""

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
            self._ask()
            run.release_due()
            while (taken := run.take()) is not None:
                attempt, executor = taken
                executor.submit(attempt, ended)
            if run.is_over and news.empty():
                return
            try:
                due_s = run.wait_s
                self._settle(
                    news.get(timeout=_ASK_EVERY_S if due_s is None else min(due_s, _ASK_EVERY_S))
                )
                while not news.empty():
                    self._settle(news.get())
            except Empty:
                continue  # something is due, or it is time to ask

    def _ask(self) -> None:
        """Stop politely if somebody elsewhere has asked for it."""
        if self.stopped or (now := monotonic()) < self._ask_at:
            return
        self._ask_at = now + _ASK_EVERY_S
        if (reason := self._stop_requested()) is not None:
            self.stop_reason = reason
            self._settle(None)

    def _settle(self, item: tuple[Attempt, Outcome] | None) -> None:
        if item is None:
            self.stopped = True
            self._run.stop()
        else:
            self._run.settle(*item)
