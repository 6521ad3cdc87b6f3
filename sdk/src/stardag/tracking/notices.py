"""What tracking says to the person in front of a build: a line where it matters, no more."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from stardag.tracking.interruption import raised_by_handler

if TYPE_CHECKING:
    from uuid import UUID

    from stardag.tracking.spool.delivery import SenderState, SenderStatus


class Notices:
    """Prints lines to standard error, for all builds of a process, each kind once.

    What is said again is what changed: a server that is back, and, when the process
    ends, the events that wait after more builds than the one that said so.

    Plain lines and not a logger, because they are for whoever watches a script run,
    and a library's log is not shown by default; `quiet` has none of them.
    """

    def __init__(self, server: str | None, *, quiet: bool) -> None:
        """Speak of `server`; None if events are only kept."""
        self._server = server
        self._quiet = quiet
        self._down = False
        self._failed = False
        self._waiting = False
        self._more_waits = False

    def build_started(self, build: UUID) -> None:
        """Say where the build can be seen."""
        if self._server is not None:
            self._say(f"build {build} -> {self._server}; see: stardag builds show {build}")
        else:
            self._say(f"build {build} is recorded here; `stardag sync` delivers it")

    def sender_stands(self, status: SenderStatus) -> None:
        """Say when the server is lost, and when it is back."""
        if status.state in ("unreachable", "silent", "refused", "untrusted"):
            self.server_lost(status.detail, status.state)
        elif status.state == "connected" and self._down:
            self._down = self._waiting = self._more_waits = False
            self._say(f"{self._server} is back; uploads have resumed")

    def server_lost(self, detail: str, state: SenderState = "unreachable") -> None:
        """Say that events stay on this machine for now, and why."""
        if self._down:
            return
        self._down = True
        if state == "untrusted":
            self._say(
                f"warning: there is no secure connection to {self._server} ({detail}); "
                "recording locally; uploads resume with a build, or `stardag sync`, that has one"
            )
        elif state == "refused":
            self._say(
                f"warning: the credential for {self._server} does not work ({detail}); "
                "recording locally; uploads resume when the token file is right, and "
                "`stardag sync` makes up for a wrong STARDAG_TOKEN"
            )
        else:
            self._say(
                f"warning: {self._server} can't be reached ({detail}); "
                "recording locally; uploads resume by themselves"
            )

    def waiting(self, count: int) -> None:
        """Say how many events are not delivered when a build ends; for the next ones, wait."""
        if self._waiting:
            self._more_waits = True
            return
        self._waiting = True
        self._say_waiting(count)

    def process_ends(self, count: int) -> None:
        """Say how many events are not delivered now, if that was not said of all builds."""
        if self._more_waits and count:
            self._say_waiting(count)

    def failed(self, error: BaseException) -> None:
        """Say that tracking itself has a fault; the build goes on.

        Raises `error` again if it is none: a signal's handler has raised it.
        """
        if raised_by_handler(error):
            raise error
        if not self._failed:
            self._failed = True
            self._say(
                f"warning: not everything is recorded "
                f"({type(error).__name__}: {error}); builds are not affected"
            )

    def _say_waiting(self, count: int) -> None:
        events = "1 event still waits" if count == 1 else f"{count:,} events still wait"
        self._say(f"{events} to be uploaded, which goes on by itself (or: stardag sync)")

    def _say(self, line: str) -> None:
        # without a standard error, as in a program with no console, `print` would take the output
        if self._quiet or sys.stderr is None:
            return
        try:
            # one write, as other threads may print too
            print(f"stardag: {line}\n", end="", file=sys.stderr, flush=True)
        except Exception:  # it is closed, or the program's own object, which may raise anything
            self._quiet = True
