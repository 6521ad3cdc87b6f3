"""The pipelines that the end-to-end tests build, as programs: `python pipelines.py NAME`."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Generator
from multiprocessing import get_context
from pathlib import Path

import stardag as sd


@sd.task
def number(n: int) -> int:
    return n


@sd.task
def total(values: list[sd.Depends[int]], scale: int = 1) -> int:
    return scale * sum(values)


@sd.task
def failing(value: sd.Depends[int]) -> int:
    raise ValueError(f"broken on purpose at {value}")


@sd.task
def after(value: sd.Depends[int]) -> int:
    return value


@sd.task
def gated(n: int, gate: str) -> int:
    """Run until the file `gate` exists, for at most a minute."""
    deadline = time.monotonic() + 60
    while not Path(gate).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return n


@sd.task
def forking(gate: str) -> int:
    """Fork a process that goes on until the file `gate` exists, and wait for it."""
    forked = get_context("fork").Process(target=gated.call, args=(0, gate))
    forked.start()
    forked.join()
    return 0


@sd.task
async def awaited(n: int) -> int:
    await asyncio.sleep(0.01)
    return n


@sd.task
def chosen(n: int) -> Generator[sd.TaskStruct, None, int]:
    further = awaited(n=n)
    yield further
    return further.load()


@sd.task(retries=2, retry_backoff=0.01)
def flaky(tries: str) -> int:
    """Fail the first time; `tries` is the file that remembers."""
    if not Path(tries).exists():
        Path(tries).touch()
        raise OSError("not yet")
    return 1


class Shows(sd.AutoTask[int]):
    """Show a text while it runs, a large table once it has, and how far it is."""

    rows: int

    def run(self) -> None:
        sd.progress(0.4, "epoch 4")
        sd.log_asset(sd.MarkdownAsset("notes", "# First try", description="what happened"))
        self.output().save(self.rows)

    def registry_assets(self) -> list[sd.Asset]:
        rows = [[n, "x" * 60] for n in range(self.load())]
        return [sd.TableAsset("rows", ["n", "text"], rows)]


@sd.task
def endless(gate: str) -> int:
    """Run until it is stopped; makes the file `gate` when it has begun."""
    Path(gate).touch()
    while True:
        sd.checkpoint()
        time.sleep(0.01)


def user_span(name: str) -> None:
    """Make a span as any program does that uses OpenTelemetry, exported in batches."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        provider = TracerProvider()
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(provider)
    with trace.get_tracer("user").start_as_current_span(f"user:{name}"):
        pass


@sd.task
def plain(n: int) -> int:
    user_span("plain")
    return n


@sd.task
async def in_loop(n: int) -> int:
    await asyncio.sleep(0.01)
    user_span("awaited")
    return n


def small() -> sd.TaskStruct:
    return total(values=[number(n=n) for n in range(3)])


def broken() -> sd.TaskStruct:
    return [after(value=failing(value=number(n=1))), total(values=[number(n=2)])]


def waiting() -> sd.TaskStruct:
    gate = sys.argv[2]
    return total(values=[*(number(n=n) for n in range(20)), gated(n=100, gate=gate)])


def onward() -> sd.TaskStruct:
    return after(value=small())


def instrumented() -> sd.TaskStruct:
    return [plain(n=1), in_loop(n=2)]


def forked() -> sd.TaskStruct:
    return total(values=[number(n=1), forking(gate=sys.argv[2])])


def shown() -> sd.TaskStruct:
    return Shows(rows=20_000)


def stopped() -> sd.TaskStruct:
    return total(values=[number(n=1), endless(gate=sys.argv[2])])


def varied() -> sd.TaskStruct:
    return total(values=[chosen(n=1), awaited(n=2), flaky(tries=f"{sys.argv[2]}.tries")])


PIPELINES = {
    "small": small,
    "broken": broken,
    "waiting": waiting,
    "varied": varied,
    "onward": onward,
    "instrumented": instrumented,
    "forked": forked,
    "shown": shown,
    "stopped": stopped,
}

if __name__ == "__main__":
    name, *how = sys.argv[1].split("-")
    executors = {"inline": sd.InlineExecutor, "processes": lambda: sd.ProcessExecutor(2)}
    locks = {"locked": lambda: sd.FileLocks("locks"), "leased": sd.ServiceLocks}
    executor = next((executors[word]() for word in how if word in executors), None)
    lock = next((locks[word]() for word in how if word in locks), None)
    summary = sd.build(
        PIPELINES[name](), executor=executor, lock=lock, fail_mode=sd.FailMode.CONTINUE
    )
    print(summary.build_id, summary.status, summary.counts, sep="\n")
    sys.exit(0 if summary.ok else 1)
