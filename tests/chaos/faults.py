"""What is broken: each fault is broken when its block is entered, and mended when it is left."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from subprocess import CalledProcessError
from typing import TYPE_CHECKING, Any, Literal

import psutil
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from random import Random

    from own_postgres import OwnPostgres
    from server_process import ServerProcess

    from .disk import SmallDisk
    from .stage import Stage

Target = Literal["builder", "sender", "service", "network", "disk"]
"""What is broken by one fault at a time. Servers and database are one: they need each other."""

_DAYS = 40.0
"""To other months, which are other partitions, but not as far as to when builds are deleted."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a fault may touch."""

    stage: Stage
    disk: SmallDisk | None
    """That of the spools, where one could be mounted."""
    database_disk: SmallDisk | None


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to break something."""

    target: Target
    name: str
    breaking: Callable[[Scene, Random], AbstractContextManager[None]]
    needs_disk: bool = False
    """Whether it is one of a small disk."""


FAULTS: list[Fault] = []


def fault(
    target: Target, *, needs_disk: bool = False
) -> Callable[[Callable[[Scene, Random], Generator[None]]], Any]:
    """Make a fault of a function that breaks something, yields, and mends it."""

    def register(function: Callable[[Scene, Random], Generator[None]]) -> Any:
        FAULTS.append(Fault(target, function.__name__, contextmanager(function), needs_disk))
        return function

    return register


@fault("builder")
def a_builder_is_killed(scene: Scene, random: Random) -> Generator[None]:
    if running := [builder for builder in scene.stage.builders if builder.runs()]:
        random.choice(running).kill()
    yield


@fault("builder")
def builders_stand_still(scene: Scene, random: Random) -> Generator[None]:
    yield from _stand_still(b.process.pid for b in scene.stage.builders if b.runs())


@fault("builder")
def workers_are_killed(scene: Scene, random: Random) -> Generator[None]:
    """One of each builder that has any, and there is one; who made it has another made."""
    made = scene.stage.start_builder("processes", pace_s=0.2)
    until(made.workers, "a builder to have made workers")
    for builder in scene.stage.builders:
        with suppress(psutil.NoSuchProcess):
            if workers := builder.workers():
                random.choice(workers).kill()
    yield


@fault("sender")
def the_sender_is_killed(scene: Scene, random: Random) -> Generator[None]:
    _signal(scene.stage.senders(), signal.SIGKILL)
    yield


@fault("sender")
def the_sender_stands_still(scene: Scene, random: Random) -> Generator[None]:
    yield from _stand_still(scene.stage.senders())


@fault("sender")
def the_sender_is_told_to_stop(scene: Scene, random: Random) -> Generator[None]:
    _signal(scene.stage.senders(), signal.SIGTERM)
    yield


@fault("sender")
def somebody_syncs_and_is_killed(scene: Scene, random: Random) -> Generator[None]:
    """Unless all is delivered before."""
    syncing = scene.stage.start_sync()
    yield
    syncing.kill()
    syncing.wait()


@fault("service")
def servers_are_killed(scene: Scene, random: Random) -> Generator[None]:
    killed = _one_or_all(scene, random)
    for server in killed:
        server.kill()
    yield
    for server in killed:
        scene.stage.start(server)


@fault("service")
def servers_are_told_to_stop(scene: Scene, random: Random) -> Generator[None]:
    stopped = _one_or_all(scene, random)
    for server in stopped:
        server.terminate()
    yield
    for server in stopped:
        scene.stage.start(server)


@fault("service")
def servers_stand_still(scene: Scene, random: Random) -> Generator[None]:
    yield from _stand_still(server.pid for server in _one_or_all(scene, random))


@fault("service")
def connections_to_the_database_are_ended(scene: Scene, random: Random) -> Generator[None]:
    scene.stage.postgres.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = '{scene.stage.database}'"
    )
    yield


@fault("service")
def a_process_of_the_database_is_killed(scene: Scene, random: Random) -> Generator[None]:
    """As PostgreSQL then can't trust its memory, it ends all connections and recovers."""
    with suppress(psutil.NoSuchProcess):
        if serving := [
            process
            for process in scene.stage.postgres.processes()
            if scene.stage.database in " ".join(process.cmdline())
        ]:
            random.choice(serving).kill()
    yield
    _wait_recovered(scene.stage.postgres)


@fault("service")
def the_database_crashes(scene: Scene, random: Random) -> Generator[None]:
    scene.stage.postgres.crash(random.choice([signal.SIGQUIT, signal.SIGKILL]))
    yield
    scene.stage.postgres.start()


@fault("service")
def the_database_stands_still(scene: Scene, random: Random) -> Generator[None]:
    yield from _stand_still(process.pid for process in scene.stage.postgres.processes())


@fault("service", needs_disk=True)
def the_disk_of_the_database_is_full(scene: Scene, random: Random) -> Generator[None]:
    assert scene.database_disk is not None
    scene.database_disk.fill()
    yield
    scene.database_disk.free()
    scene.stage.postgres.start()  # it ends itself if it can't write its log
    _wait_recovered(scene.stage.postgres)


@fault("service")
def the_clock_of_the_database_jumps(scene: Scene, random: Random) -> Generator[None]:
    scene.stage.postgres.set_clock(scene.stage.database, random.uniform(-_DAYS, _DAYS))
    yield


@fault("network")
def the_network_is_slow(scene: Scene, random: Random) -> Generator[None]:
    scene.stage.proxy.weather.delay_s = random.uniform(0.01, 0.5)
    yield
    scene.stage.proxy.clear()


@fault("network")
def the_network_drips(scene: Scene, random: Random) -> Generator[None]:
    scene.stage.proxy.weather.piece_bytes = random.randrange(1, 100)
    scene.stage.proxy.weather.delay_s = 0.001
    yield
    scene.stage.proxy.clear()


@fault("network")
def the_network_resets_connections(scene: Scene, random: Random) -> Generator[None]:
    scene.stage.proxy.reset()
    yield


@fault("network")
def the_network_half_closes_connections(scene: Scene, random: Random) -> Generator[None]:
    scene.stage.proxy.half_close(random.choice(["to_server", "to_sender"]))
    yield


@fault("network")
def the_network_refuses_connections(scene: Scene, random: Random) -> Generator[None]:
    scene.stage.proxy.weather.refuses = True
    scene.stage.proxy.reset()
    yield
    scene.stage.proxy.clear()


@fault("network")
def the_network_loses_answers(scene: Scene, random: Random) -> Generator[None]:
    scene.stage.proxy.weather.loses_answers = True
    yield
    scene.stage.proxy.clear()


@fault("network")
def the_network_loses_requests(scene: Scene, random: Random) -> Generator[None]:
    scene.stage.proxy.weather.loses_requests = True
    yield
    scene.stage.proxy.clear()


@fault("disk", needs_disk=True)
def the_disk_is_full(scene: Scene, random: Random) -> Generator[None]:
    assert scene.disk is not None
    scene.disk.fill()
    yield
    scene.disk.free()


def _wait_recovered(postgres: OwnPostgres) -> None:
    def answers() -> bool:
        with suppress(CalledProcessError):
            return bool(postgres.execute("SELECT 1"))
        return False

    until(answers, "the database to have recovered")


def _one_or_all(scene: Scene, random: Random) -> list[ServerProcess]:
    servers = scene.stage.servers
    return random.sample(servers, random.choice([1, len(servers)]))


def _stand_still(pids: Iterable[int]) -> Generator[None]:
    stopped = list(pids)
    _signal(stopped, signal.SIGSTOP)
    yield
    _signal(stopped, signal.SIGCONT)


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
