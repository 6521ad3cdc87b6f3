"""Whether anything listens where a server should be, asked without waiting long for it."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stardag.tracking.connection.address import Address

_WAIT_S = 0.5
_CONNECT_S = 0.25


class Probe:
    """Tries to connect to one address.

    To look a name up may take ten seconds and more where no network is, and nothing can interrupt
    it. So that is left to a thread, one at a time, and a build goes on.
    """

    def __init__(self, address: Address) -> None:
        """Try nothing yet."""
        self._address = address
        self._attempt: _Attempt | None = None

    def listens(self) -> bool:
        """Return whether something does; no, if that is not known within half a second."""
        attempt = self._attempt
        if attempt is None or not attempt.is_alive():
            attempt = _Attempt(self._address)
            try:
                attempt.start()
            except RuntimeError:  # there are no more threads, or the program is ending
                return False
            self._attempt = attempt
        attempt.join(max(0.0, attempt.begun_at + _WAIT_S - time.monotonic()))
        return attempt.connected


class _Attempt(threading.Thread):
    def __init__(self, address: Address) -> None:
        super().__init__(name="stardag-probe", daemon=True)
        self._place = address.host, address.port
        self.begun_at = time.monotonic()
        self.connected = False

    def run(self) -> None:
        with suppress(OSError, UnicodeError):  # the latter for what can't be a host's name
            socket.create_connection(self._place, _CONNECT_S).close()
            self.connected = True
