"""What tracking adds to a task, with the server up, down and hung, against appending to a file.

Then what it adds to a whole program that builds ten tasks while the server is down, its end
included: what a user waits for at the prompt.

The build is of 1,000 no-op tasks in the caller's thread; an untracked build in the same run is
taken off. Waiting for delivery at the end is no part of it. A task is three events (pending with
its definition, started, completed); the floor is four appends of 100 bytes.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from figures import at_most, interleaved, report, seconds

from stardag import AutoTask, TargetFactory, build_sequential, target_factory_provider
from stardag.build.builder import observer_provider
from stardag.build.observer import BuildObserver
from stardag.build.silent import SilentObserver
from stardag.config import Config, ServerConfig, TrackingConfig
from stardag.target.stores.memory import MemoryStore
from stardag.tracking import open_tracker

N = 1000
RUNS = 7


class Noop(AutoTask[bytes]):
    n: int

    def run(self) -> None:
        self.output().save(b"x")


def one_build(open_observer: Callable[[], BuildObserver], *, delivered: bool = False) -> float:
    """Build, and return what a task took; wait for delivery afterwards if that is asked for."""
    tasks = [Noop(n=n) for n in range(N)]
    for task in tasks:
        _ = task.id
    factory = TargetFactory({"default": "memory://root"}, {"memory": MemoryStore()})
    with (
        target_factory_provider.override(factory),
        observer_provider.override(open_observer),
    ):
        took = seconds(lambda: build_sequential(tasks, flush_timeout=0))
        if delivered:  # or the server would still be at work when the next state is measured
            open_observer().wait_delivered(30)
    return took / N * 1e6


def tracked(address: str, directory: Path) -> Callable[[], BuildObserver]:
    config = Config(
        server=ServerConfig(address=address, token_file=directory / "token"),
        tracking=TrackingConfig(state_dir=directory / address.replace(":", "-"), quiet=True),
    )

    def open_observer() -> BuildObserver:
        observer = open_tracker(config)
        assert observer is not None
        return observer

    return open_observer


@contextmanager
def server(directory: Path) -> Generator[str]:
    """Start a server on SQLite, and yield its address."""
    directory.mkdir()
    log = directory / "log"
    command = [sys.executable, "-m", "stardag_server", "--data-dir", str(directory), "--port", "0"]
    command += ["--http-port", "off"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        while not (found := re.search(r"listening on (\S+)", log.read_text())):
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
        yield found.group(1)
    finally:
        process.terminate()
        process.wait()


@contextmanager
def hung() -> Generator[str]:
    """Listen, and never answer."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"127.0.0.1:{probe.getsockname()[1]}"


def four_appends() -> float:
    body = os.urandom(100)
    with tempfile.TemporaryDirectory() as directory:
        file = os.open(f"{directory}/log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

        def append() -> None:
            for _ in range(4 * N):
                os.write(file, body)

        took = seconds(append)
        os.close(file)
    return took / N * 1e6


PROGRAM = """
import stardag as sd

@sd.task
def double(n: int) -> int:
    return 2 * n

sd.build([double(n=n) for n in range(10)], progress=False)
"""


def program(directory: Path, address: str | None) -> float:
    """Run a program that builds ten tasks, and return the seconds it takes from start to end."""
    with tempfile.TemporaryDirectory(dir=directory) as run:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("STARDAG_")}
        environment |= {
            "STARDAG_TARGET_ROOTS__DEFAULT": f"{run}/outputs",
            "STARDAG_STATE_DIR": f"{directory}/state-of-programs",
        }
        if address is not None:
            environment["STARDAG_SERVER"] = address
            environment["STARDAG_TOKEN_FILE"] = f"{directory}/token"
        command = [sys.executable, "-c", PROGRAM]
        return seconds(
            lambda: subprocess.run(
                command, env=environment, check=True, stderr=subprocess.DEVNULL, cwd=run
            )
        )


def main() -> None:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (directory / "token").write_text("none")
        up = stack.enter_context(server(directory / "server"))
        addresses = {"up": up, "down": free_address(), "hung": stack.enter_context(hung())}
        openers = {
            state: tracked(address, directory / "server" if state == "up" else directory)
            for state, address in addresses.items()
        }
        for open_observer in openers.values():
            one_build(open_observer)  # starts the sender
        builds = {
            state: partial(one_build, opener, delivered=state == "up")
            for state, opener in openers.items()
        }
        untracked, floor, *added = interleaved(
            lambda: one_build(SilentObserver),
            four_appends,
            *builds.values(),
            runs=RUNS,
        )
        without, with_one_down = interleaved(
            lambda: program(directory, None),
            lambda: program(directory, addresses["down"]),
            runs=RUNS,
        )
        report(
            [
                at_most(
                    f"tracking adds to a task, server {state}",
                    value - untracked,
                    "us a task",
                    15,
                    floor=floor,
                )
                for state, value in zip(openers, added, strict=True)
            ]
            + [
                at_most(
                    "tracking adds to a program of ten tasks, server down",
                    with_one_down - without,
                    "s",
                    0.2,
                    floor=without,
                )
            ]
        )


if __name__ == "__main__":
    main()
