"""Ctrl-C and SIGTERM while a build runs: polite at first, at once the second time."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self


class Interrupts:
    """Takes the signals for the length of a `with` block, in the main thread.

    Handlers that the program has set itself are left alone, and in other threads nothing is
    done: signals are the main thread's.
    """

    def __init__(self, stop: Callable[[], None] | None) -> None:
        """Call `stop` at the first signal; None raises KeyboardInterrupt at once."""
        self._stop = stop
        self._previous: dict[int, Any] = {}
        self.received: int | None = None
        """The first signal that came."""

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._take(signal.SIGINT, signal.default_int_handler)
            self._take(signal.SIGTERM, signal.SIG_DFL)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def exception(self) -> BaseException:
        """Return what ends a program that was sent the signal, as its shell expects."""
        if self.received == signal.SIGTERM:
            return SystemExit(128 + signal.SIGTERM)
        return KeyboardInterrupt()

    def _take(self, number: int, default: Any) -> None:
        if signal.getsignal(number) is default:
            self._previous[number] = signal.signal(number, self._handle)

    def _handle(self, number: int, _: object) -> None:
        again = self.received is not None
        self.received = self.received or number
        if again or self._stop is None:
            raise KeyboardInterrupt
        self._stop()
