"""The stage: builders, their sender, a proxy, servers and a database, as real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psutil
from server_process import ServerProcess
from support.waiting import until

from stardag.tracking.spool.delivery import read_delivery
from stardag.tracking.spool.streams import stream_directories

from ..conftest import STARDAG, Workplace
from .journal import Kept, Lost, read_journal
from .proxy import Proxy

if TYPE_CHECKING:
    from own_postgres import OwnPostgres

_HERE = Path(__file__).parent
_PLANTED = _HERE / "planted"
_BUILD_S = 120.0
_DELIVERY_S = 90.0
_STARTS = 10
_BEGUN = 30  # events of a few hundred
_RETENTION = "[tracking]\nretention_s = 5.0\n"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a build is to everybody but those who track it."""

    code: int
    printed: str
    outputs: dict[str, bytes]
    """By path below the root of targets."""


class Builder:
    """A process that builds, tracked or not."""

    def __init__(self, stage: Stage, kind: str, name: str, *, tracked: bool, pace_s: float) -> None:
        self.kind = kind
        self.outcome: Outcome | None = None
        """What came of it, once `collect` was called; None if it was killed."""
        self.killed = False
        self._targets = stage.directory / name / "targets"
        self._journal = stage.directory / name / "journal"
        self._targets.mkdir(parents=True)
        settings = stage.settings() | {
            "STARDAG_TARGET_ROOTS__DEFAULT": str(self._targets),
            "CHAOS_PACE": str(pace_s),
        }
        if kind == "jumping" and tracked:
            settings["CHAOS_PLANT"] = f"{settings.get('CHAOS_PLANT', '')} builder_of_jumping_clock"
        if not tracked:
            settings = {k: v for k, v in settings.items() if k != "STARDAG_SERVER"}
        self._said = stage.directory / name / "stdout"
        program = [sys.executable, str(_HERE / "builder.py"), kind]
        with self._said.open("w") as said, (stage.directory / name / "stderr").open("w") as log:
            self.process = subprocess.Popen(
                [*program, str(self._journal) if tracked else "-"],
                env=settings,
                cwd=stage.directory,
                stdout=said,
                stderr=log,
            )

    def runs(self) -> bool:
        """Return whether it has not ended."""
        return self.process.poll() is None

    def workers(self) -> list[psutil.Process]:
        """Return the processes that run its tasks: what its fork server has made."""
        if not self.runs():
            return []
        started = psutil.Process(self.process.pid).children()
        return [worker for process in started for worker in process.children()]

    def kill(self) -> None:
        """End it without a chance to say good-bye."""
        self.process.kill()
        self.killed = True

    def collect(self) -> Outcome | None:
        """Wait for its end, and return what came of it; None if it was killed."""
        code = self.process.wait(_BUILD_S)
        self.killed = code == -signal.SIGKILL
        if not self.killed:
            self.outcome = Outcome(code, self._said.read_text(), self.outputs())
        return self.outcome

    def outputs(self) -> dict[str, bytes]:
        """Return all that is in place below its root of targets."""
        files = (path for path in self._targets.rglob("*") if path.is_file())
        return {
            str(path.relative_to(self._targets)): path.read_bytes()
            for path in files
            if not path.name.startswith(".")
        }

    def journal(self) -> list[Kept | Lost]:
        """Return what became of its appends, in their order."""
        return read_journal(self._journal)

    def lost(self) -> int:
        """Return how many events it could not keep."""
        return sum(isinstance(record, Lost) for record in self.journal())


class Stage:
    """Everything that takes part; runs while it is entered."""

    def __init__(
        self, directory: Path, postgres: OwnPostgres, *, plant: str = "", servers: int = 1
    ) -> None:
        """Use a new database of `postgres`, by so many `servers` that are used in turn.

        `plant` names the fail points or doubles to plant into whom they are for.
        """
        self.directory = directory
        self.postgres = postgres
        self.proxy = Proxy()
        self.builders: list[Builder] = []
        self.mark = directory / "mark"
        """Is there once a fail point was passed."""
        self._place = Workplace(directory)
        self._environment = {"STARDAG_FLUSH_TIMEOUT": "1", "STARDAG_QUIET": "true"}
        if plant:
            self._environment |= {"CHAOS_PLANT": plant, "CHAOS_MARK": str(self.mark)}
        self.database = f"chaos_{os.urandom(6).hex()}"
        """The name of the database."""
        self.database_url = postgres.create_database(self.database)
        postgres.set_clock(self.database, 0)
        self.server = self._place.server
        """The first of `servers`."""
        data = self.server.data_dir
        self.servers = [self.server, *(ServerProcess(data) for _ in range(servers - 1))]
        for server in self.servers:
            server.database_url = self.database_url
            server.environment = self._environment | {"PYTHONPATH": str(_PLANTED)}
        self._untracked: dict[str, Builder] = {}

    def __enter__(self) -> Self:
        (self.directory / "stardag.toml").write_text(_RETENTION)
        self.proxy.__enter__()
        for server in self.servers:
            self.start(server)
            self.proxy.ports.append(server.port)
        return self

    def __exit__(self, *_: object) -> None:
        self.proxy.__exit__()
        for builder in (*self.builders, *self._untracked.values()):
            if builder.runs():
                builder.kill()
                builder.process.wait()
        for pid in self.senders():
            os.kill(pid, signal.SIGKILL)
        for server in self.servers:
            server.__exit__()

    def undelivered(self) -> list[Path]:
        """Return the streams that the sender has not put aside."""
        spools = (self._place.state / "spool").glob("*")
        return [stream for spool in spools for stream in stream_directories(spool)]

    def acknowledged(self) -> int:
        """Return how many events of streams that are not put aside are acknowledged."""
        return sum(read_delivery(stream).acked for stream in self.undelivered())

    def settings(self) -> dict[str, str]:
        """Return the environment of a builder."""
        path = os.pathsep.join((str(_PLANTED), str(_HERE.parent)))
        return self._place.settings() | {
            "STARDAG_SERVER": self.proxy.address,
            "PYTHONPATH": path,
            **self._environment,
        }

    def start(self, server: ServerProcess) -> None:
        """Start a server, at the address it had, as soon as the database lets it."""
        for attempt in range(_STARTS):
            try:
                server.start()
                break
            except AssertionError:  # the database recovers from a crash
                if attempt + 1 == _STARTS:
                    raise

    def senders(self) -> list[int]:
        """Return the ids of the processes that deliver."""
        return self._place.senders()

    def start_sync(self) -> subprocess.Popen[bytes]:
        """Start the command that delivers in the foreground."""
        return subprocess.Popen(
            [str(STARDAG), "sync"],
            env=self.settings(),
            cwd=self.directory,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def start_builder(self, kind: str, *, pace_s: float = 0.02) -> Builder:
        """Start a builder that is tracked; and, of each kind once, one that is not."""
        if kind not in self._untracked:
            name = f"untracked-{kind}"
            self._untracked[kind] = Builder(self, kind, name, tracked=False, pace_s=0.0)
        name = f"{len(self.builders):04}-{kind}"
        builder = Builder(self, kind, name, tracked=True, pace_s=pace_s)
        self.builders.append(builder)
        return builder

    def build_to_and_fro(self) -> None:
        """Build, and lead the sender to the next server whenever one has acknowledged something."""
        builder = self.start_builder("whole", pace_s=0.1)
        acknowledged = 0
        while builder.runs():
            if (now := self.acknowledged()) > acknowledged:
                self.proxy.reset()
            acknowledged = now
            time.sleep(0.02)

    @contextmanager
    def begun(self, kind: str) -> Generator[Builder]:
        """Start a builder, and have it stand still in the middle of its build for the block."""
        builder = self.start_builder(kind)
        until(lambda: len(builder.journal()) > _BEGUN, "the builder to have begun")
        builder.process.send_signal(signal.SIGSTOP)
        yield builder
        builder.process.send_signal(signal.SIGCONT)

    def untracked(self, kind: str) -> Outcome:
        """Return what comes of such a builder when nobody is told of it."""
        builder = self._untracked[kind]
        outcome = builder.outcome or builder.collect()
        assert outcome is not None
        return outcome

    def settle(self) -> None:
        """Wait for all builders, and until the sender, started by one build more, has delivered."""
        for builder in self.builders:
            if builder.outcome is None:
                builder.collect()
        self.start_builder("small", pace_s=0.0).collect()
        until(lambda: not self.undelivered(), "all to be delivered", _DELIVERY_S)
