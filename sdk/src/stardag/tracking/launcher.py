"""Sees to it that a spool has its sender: one process, which outlives the one it serves."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import stardag
from stardag.tracking.connection.credential import TOKEN_VARIABLE
from stardag.tracking.spool.delivery import read_status
from stardag.tracking.spool.lease import sender_runs
from stardag.tracking.spool.streams import make_spool

if TYPE_CHECKING:
    from stardag.tracking.connection.address import Address
    from stardag.tracking.connection.credential import Credential

_OTLP, _FILES = "OTEL_EXPORTER_OTLP_", ("_CERTIFICATE", "_CLIENT_KEY")
_RETRY_S, _REFUSED_RETRY_S = 5.0, 30.0
_SHELL = "/bin/sh"


@dataclass(frozen=True, slots=True)
class SenderArguments:
    """What a sender is told. A token goes by its environment, where only the user sees it."""

    spool: Path
    address: Address | None
    credential: Credential
    retention_s: float

    def command(self) -> list[str]:
        """Return the arguments of the process, without the interpreter."""
        command = ["-P", "-m", "stardag.tracking.sender", f"--spool={self.spool}"]
        command.append(f"--retention={self.retention_s}")
        if self.address is not None:
            command.append(f"--address={self.address.url}")
        return command + self.credential.options()


def child_environment(credential: Credential) -> dict[str, str]:
    """Return the environment of a process of ours, which finds this package and the token."""
    environment = dict(os.environ)
    # where this package was found, its dependencies are; the rest of this process's
    # path may have modules that hide those of the standard library
    home = str(Path(stardag.__file__).parent.parent)
    inherited = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = f"{inherited}{os.pathsep}{home}" if inherited else home
    environment.setdefault("GRPC_VERBOSITY", "NONE")  # what it prints, we say in our words
    for name, value in os.environ.items():
        if value and name.startswith(_OTLP) and name.endswith(_FILES):
            environment[name] = str(Path(value).absolute())  # it works in another directory
    environment.pop(TOKEN_VARIABLE, None)
    if credential.token is not None:
        environment[TOKEN_VARIABLE] = credential.token
    return environment


class Launcher:
    """Starts the sender of one spool, and again should it end."""

    def __init__(self, arguments: SenderArguments) -> None:
        """Start nothing yet."""
        self._arguments = arguments
        self._next = 0.0
        self._child: int | None = None

    def ensure(self) -> None:
        """Start a sender unless one runs; looks every five seconds at most.

        One whose credential or certificate was refused has ended, and is tried again after
        thirty.
        Takes a millisecond or two when it starts one. Raises `OSError` if that fails.
        """
        now = time.monotonic()
        if now < self._next:
            return
        status = read_status(self._arguments.spool)
        refused = status is not None and status.state in ("refused", "untrusted")
        self._next = now + (_REFUSED_RETRY_S if refused else _RETRY_S)
        self._reap()
        if not sender_runs(self._arguments.spool):
            self._start()

    def _start(self) -> None:
        if not os.access(sys.executable, os.X_OK) or getattr(sys, "frozen", False):
            raise OSError(
                f"there is no Python to start at {sys.executable!r}, so nothing is uploaded before "
                "`stardag sync`"
            )
        spool = self._arguments.spool
        make_spool(spool)
        (spool / "sender.json").unlink(missing_ok=True)  # what another one said is not news
        log = str(spool / "sender.log")
        files = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        command = [sys.executable, *self._arguments.command()]
        if is_passed_on := _can_pass_on():
            command = [_SHELL, "-c", '"$0" "$@" &', *command]
        # the sender closes what else it inherits, so that nobody waits for a pipe it holds
        self._child = os.posix_spawn(
            command[0],
            command,
            child_environment(self._arguments.credential),
            file_actions=files,
            setsid=True,
        )
        self._reap(wait=is_passed_on)

    def _reap(self, *, wait: bool = False) -> None:
        """Let the system forget a child that has ended, or, with `wait`, is about to."""
        if self._child is None:
            return
        try:
            ended, _ = os.waitpid(self._child, 0 if wait else os.WNOHANG)
        except ChildProcessError:
            ended = self._child  # not ours: this is a fork, or somebody else has waited for it
        if ended:
            self._child = None


def _can_pass_on() -> bool:
    """Return whether a shell can start the sender, and leave it to the system.

    A child of this process would be waited for by a program that waits for all its children, and
    it ends only after this process. The first process of a container gets it back in any case.
    """
    return os.getpid() != 1 and os.access(_SHELL, os.X_OK)
