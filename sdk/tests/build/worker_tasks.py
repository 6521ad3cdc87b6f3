"""Tasks that can run in another process: they are defined in a module that can be imported."""

from __future__ import annotations

import asyncio
import contextvars
import os
import time
from collections.abc import AsyncIterator, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

from opentelemetry import trace
from pydantic import SecretStr

import stardag as sd

sd.namespace("worker_tasks", __name__)


@sd.task
def number(n: int) -> int:
    return n


@sd.task
def total(parts: list[sd.Depends[int]]) -> int:
    return sum(parts)


@sd.task
async def slow_number(n: int) -> int:
    await asyncio.sleep(0.01)
    return n


@sd.task
def failing(n: int) -> int:
    raise ValueError(f"broken on purpose {n}")


class Unpicklable(Exception):
    def __init__(self, a: int, b: int) -> None:
        super().__init__(f"{a} and {b}")


@sd.task
def failing_oddly() -> int:
    raise Unpicklable(1, 2)


class Forgetful(sd.AutoTask[int]):
    def run(self) -> None:
        pass


class Chooses(sd.AutoTask[int]):
    n: int

    def run(self) -> Iterator[sd.TaskStruct]:
        with Path("begun").open("a") as file:
            file.write("x")
        first = number(n=self.n)
        yield first
        second = {"more": [number(n=first.load() + 1), first]}
        yield second
        self.output().save(sum(task.load() for task in second["more"]))


class ChoosesAio(sd.AutoTask[int]):
    n: int

    async def run(self) -> AsyncIterator[sd.TaskStruct]:
        first = slow_number(n=self.n)
        yield first
        second = [number(n=first.load() + 1), first]
        yield second
        self.output().save(sum(task.load() for task in second))


@sd.task
def chosen_by(n: int) -> Generator[sd.TaskStruct, None, int]:
    first = number(n=n)
    yield first
    return first.load() + 1


class Both(sd.AutoTask[str]):
    def run(self) -> None:
        self.output().save("run")

    async def run_aio(self) -> None:
        self.output().save("run_aio")


class Meets(sd.AutoTask[int]):
    """Waits until the others have begun."""

    n: int
    of: int

    def run(self) -> None:
        Path(f"there-{self.n}").touch()
        deadline = time.monotonic() + 30
        while len(list(Path().glob("there-*"))) < self.of:
            assert time.monotonic() < deadline, "the others did not come"
            time.sleep(0.01)
        self.output().save(self.n)


class Sleeps(sd.AutoTask[int], timeout=0.3):
    """Takes for ever, and says when it is asked to stop."""

    def run(self) -> None:
        Path("sleeping").touch()
        while True:
            time.sleep(0.01)
            sd.checkpoint()


class SleepsAio(sd.AutoTask[int], timeout=0.3):
    async def run(self) -> None:
        Path("sleeping").touch()
        await asyncio.sleep(60)


class Endless(sd.AutoTask[int]):
    """As `Sleeps`, with all the time there is."""

    def run(self) -> None:
        try:
            Path("sleeping").touch()
            while True:
                time.sleep(0.01)
                sd.checkpoint()
        finally:
            Path("cleaned-up").touch()


class EndlessAio(sd.AutoTask[int]):
    async def run(self) -> None:
        try:
            Path("sleeping").touch()
            await asyncio.sleep(60)
        finally:
            Path("cleaned-up").touch()


class Stubborn(sd.AutoTask[int], timeout=0.3):
    """Never looks whether it is to stop."""

    def run(self) -> None:
        time.sleep(60)


class Dies(sd.AutoTask[int]):
    signal: int = 0
    exit_code: int = 0

    def run(self) -> None:
        if self.signal:
            os.kill(os.getpid(), self.signal)
        os._exit(self.exit_code)


class WhereAmI(sd.AutoTask[dict[str, str]]):
    def run(self) -> None:
        variable = os.environ.get("STARDAG_TEST_VARIABLE", "")
        self.output().save({"pid": str(os.getpid()), "cwd": str(Path.cwd()), "variable": variable})


class Link(sd.AutoTask[int]):
    below: sd.TaskLoads[int] | None = None

    def requires(self) -> sd.TaskStruct | None:
        return self.below

    def run(self) -> None:
        self.output().save(1 if self.below is None else self.below.load() + 1)


class Flaky(sd.AutoTask[int], retries=3, retry_backoff=0.01, retry_on=(OSError,)):
    """Fails as often as it is told to; counts in a file, as it may run in another process."""

    failures: int
    fatal: bool = False

    def run(self) -> None:
        with Path("tries").open("a+") as file:
            file.write("x")
            file.seek(0)
            tries = len(file.read())
        if self.fatal:
            raise ValueError("no use in trying again")
        if tries <= self.failures:
            raise OSError(f"try {tries}")
        self.output().save(tries)


class Counted(sd.AutoTask[int]):
    """Says in a file that it has run."""

    n: int

    def run(self) -> None:
        with Path("counted").open("a") as file:
            file.write(f"{self.n} ")
        time.sleep(0.01)
        self.output().save(self.n)


class WaitsForGo(sd.AutoTask[int]):
    def run(self) -> None:
        Path("waiting").touch()
        while not Path("go").exists():
            time.sleep(0.01)
        self.output().save(1)


class Deaf(sd.AutoTask[int]):
    """Does not stop, whoever asks."""

    def run(self) -> None:
        Path("sleeping").touch()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                time.sleep(0.1)
            except sd.StardagError:
                continue


class NestsWaiting(sd.AutoTask[int]):
    def run(self) -> None:
        sd.build(WaitsForGo()).raise_for_status()
        self.output().save(1)


class Pauses(sd.AutoTask[int]):
    """Takes longer than a build that is not shown."""

    n: int

    def run(self) -> None:
        time.sleep(1)
        self.output().save(self.n)


class NestsPausing(sd.AutoTask[int]):
    def run(self) -> None:
        sd.build(Pauses(n=1)).raise_for_status()
        self.output().save(1)


class Secretive(sd.AutoTask[int]):
    password: SecretStr

    def run(self) -> None:
        self.output().save(len(self.password.get_secret_value()))


@sd.task
def tells() -> int:
    sd.progress(0.25, "reading")
    sd.progress(1, "done")
    return 1


@sd.task
async def tells_async() -> int:
    await asyncio.sleep(0)
    sd.progress(0.25, "reading")
    sd.progress(1, "done")
    return 1


@sd.task
def tells_often(times: int) -> int:
    for i in range(times + 1):
        sd.progress(i / times)
    return times


@sd.task
def tells_oddly(fractions: list[float]) -> int:
    for fraction in fractions:
        sd.progress(fraction)
    sd.progress(float("nan"))
    return 1


class Shows(sd.AutoTask[int]):
    asynchronous: bool

    def run(self) -> None:
        sd.log_asset(sd.MarkdownAsset("notes", "# It runs"))
        self.output().save(7)

    async def run_aio(self) -> None:
        self.run()

    def registry_assets(self) -> list[sd.Asset]:
        return [sd.JsonAsset("result", {"n": self.load()})]


class ShowsBadly(sd.AutoTask[int]):
    asked: ClassVar[bool] = False

    def run(self) -> None:
        type(self).asked = False
        self.output().save(7)

    def registry_assets(self) -> list[sd.Asset]:
        type(self).asked = True
        raise RuntimeError("not today")


def _look_around() -> dict[str, Any]:
    with ThreadPoolExecutor(1) as pool:
        in_thread = pool.submit(contextvars.copy_context().run, _current_span).result()
    return {
        "current": _current_span(),
        "carrier": sd.trace_carrier(),
        "in_thread": in_thread,
        "variable": os.environ.get("TRACEPARENT"),
    }


def _current_span() -> str:
    context = trace.get_current_span().get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


@sd.task
def looks_around() -> dict[str, Any]:
    return _look_around()


@sd.task
async def looks_around_async() -> dict[str, Any]:
    await asyncio.sleep(0)
    return _look_around()


class LooksAroundTwice(sd.AutoTask[list[str]]):
    def run(self) -> Iterator[sd.TaskStruct]:
        before = _current_span()
        yield number(n=5)
        self.output().save([before, _current_span()])
