"""Leases by the tracking service: for builds on any number of machines."""

from __future__ import annotations

import atexit
import json
import os
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from stardag._errors import ConfigError, LeaseError
from stardag.build.own_descriptors import own_descriptors

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping


class ServiceLocks:
    """Leases of builds that share the server that is configured.

    A lease ends by itself `ttl` seconds after it was last renewed. A process of its own, the
    keeper, asks for leases and renews them: however busy or dead the building process is, they
    last as long as it lives and not much longer. Should the server be away for so long that a
    lease ends, its task goes on, and another build may run it too.
    """

    def __init__(self, *, slots: Mapping[str, int] | None = None, ttl: float = 60.0) -> None:
        """Use the configured server; nothing is started until a lease is asked for.

        `slots` are those of the server's concurrency limits that each task takes up while it
        runs, by name. `ttl` is 5 to 3600. Raises `ConfigError` for another.
        """
        if not 5 <= ttl <= 3600:
            raise ConfigError(f"ttl = {ttl}: a lease lasts 5 to 3600 seconds")
        self._slots = dict(slots or {})
        self._ttl = ttl
        self._asking = threading.Lock()
        self._keeper: Keeper | None = None

    def acquire(self, name: str) -> ServiceLease | None:
        """Return the lease called `name`, or None at once if somebody else holds it.

        None, too, if one of the limits is reached. Raises `LeaseError` if the server can't be
        asked or refuses, and `ConfigError` if none is configured.
        """
        answer = self.ask(do="acquire", name=name)
        return ServiceLease(self, name, answer["token"]) if answer["held"] else None

    def close(self) -> None:
        """Give back what is held, and end the keeper; a later `acquire` starts another.

        At the end of the process that happens by itself.
        """
        with self._asking:
            keeper, self._keeper = self._keeper, None
            if keeper is not None:
                keeper.close()

    def ask(self, **question: Any) -> dict[str, Any]:
        """Return the keeper's answer. Raises as `acquire`."""
        with self._asking:
            if self._keeper is None or not self._keeper.is_ours:
                self._keeper = Keeper(self._ttl, self._slots)
            answer = self._keeper.ask(question)
        if "error" in answer:
            raise LeaseError(answer["error"])
        return answer


class ServiceLease:
    """A lease that the keeper renews."""

    def __init__(self, locks: ServiceLocks, name: str, token: int) -> None:
        """Stand for the lease called `name`, which is held, with its fencing token."""
        self._locks = locks
        self._name = name
        self.token = token

    @property
    def lasts(self) -> bool:
        """Whether at least half of its time is left."""
        return bool(self._locks.ask(do="look", name=self._name)["held"])

    def release(self) -> None:
        """Give it back; should the server not hear of that, the lease ends by itself."""
        with suppress(LeaseError):
            self._locks.ask(do="release", name=self._name)


class Keeper:
    """The keeper's process: `stardag.tracking.lease_keeper`, a line of JSON for each line."""

    def __init__(self, ttl: float, slots: Mapping[str, int]) -> None:
        """Start it. Raises `ConfigError`, or `LeaseError` if it can't be started."""
        self._pid = os.getpid()
        # at its end of the pipe it sees this process end, however that ends
        with own_descriptors() as own:
            self._process = _start(ttl, slots)
            assert self._process.stdin is not None
            self._questions = self._process.stdin
            own.add(self._questions.fileno())
        atexit.register(self.close)
        self._asked = 0

    @property
    def is_ours(self) -> bool:
        """Whether it lives, and this process has started it and is no fork of that."""
        return self._pid == os.getpid() and self._process.poll() is None

    def ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to one question."""
        questions, answers = self._questions, self._process.stdout
        assert answers is not None
        try:
            self._asked += 1
            questions.write(json.dumps({**question, "number": self._asked}).encode() + b"\n")
            questions.flush()
            for line in answers:
                answer = json.loads(line)
                # an interrupt may have left the answer to an earlier question
                if answer["number"] == self._asked:
                    return answer
        except OSError:
            pass  # the pipe is broken
        return {"error": "the process that keeps the leases has ended"}

    def close(self) -> None:
        """Have it give back what is held, and end; in a fork of its process, do nothing."""
        if self._pid == os.getpid():
            atexit.unregister(self.close)
            with own_descriptors() as own, suppress(OSError):
                own.discard(self._questions.fileno())
                self._questions.close()
            with self._process:  # which waits
                pass


def _start(ttl: float, slots: Mapping[str, int]) -> subprocess.Popen[bytes]:
    import subprocess

    from stardag.config import get_config
    from stardag.tracking.connection.address import parse_address
    from stardag.tracking.connection.credential import configured_credential
    from stardag.tracking.launcher import child_environment

    server = get_config().server
    if not server.address:
        raise ConfigError(
            "ServiceLocks want a server; set STARDAG_SERVER=<host:port>, or use FileLocks"
        )
    address = parse_address(server.address)
    credential = configured_credential(server, address)
    address.require_safe_for(credential)
    command = [sys.executable, "-P", "-m", "stardag.tracking.lease_keeper"]
    command += [f"--address={address.url}", f"--ttl={ttl}", f"--slots={json.dumps(slots)}"]
    command += credential.options()
    try:
        return subprocess.Popen(
            command,
            env=child_environment(credential),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the build, which gives leases back itself
        )
    except OSError as error:
        raise LeaseError(f"the process that keeps leases can't be started: {error}") from error
