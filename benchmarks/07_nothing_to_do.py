"""Nothing to do: 10,000 outputs that all exist, against 10,000 `os.stat`; and in bulk on S3.

A build of tasks that are complete places each output, asks for all of them at once, and notes what
it found; of a root that is complete it asks one question.

S3 is moto's server, a process of its own. It is on this machine and in Python: a request is no
further away than its own computing. It spends 0.1 ms on each key that it lists, and so about as
long on a page of a thousand as on 80 heads: ten pages alone, the fewest that S3 allows for 10,000
keys, are the floor, and no plan of requests is much more than ten times faster than heads. So it
is asked twice: as it is, and with 10 ms added to each request for the way to a real S3, which is
an assumption.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import quote

from figures import Figure, at_most, interleaved, report, seconds
from obstore.store import S3Store as Bucket

from stardag import AutoTask, TaskStruct, build, target_factory_provider
from stardag.target import FileSystemTarget, TargetFactory, exists_many
from stardag.target.stores.s3 import S3Store

N = 10_000
SAMPLE = 200
"""Targets on S3 that are asked for one by one; the others would take as long."""
DISTANCE_S = 0.010

SERVER = f"""
import logging, threading, time
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

logging.getLogger("werkzeug").disabled = True
near = DomainDispatcherApplication(create_backend_app)

def far(environ, start_response):
    time.sleep({DISTANCE_S})
    return near(environ, start_response)

servers = [make_server("127.0.0.1", 0, app, threaded=True) for app in (near, far)]
print(*(server.port for server in servers), flush=True)
threading.Thread(target=servers[0].serve_forever, daemon=True).start()
servers[1].serve_forever()
"""


@contextmanager
def s3() -> Generator[tuple[str, str]]:
    """Run the server; give its address near and far."""
    process = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        near, far = (f"http://127.0.0.1:{port}" for port in process.stdout.readline().split())
        urllib.request.urlopen(urllib.request.Request(f"{near}/bucket", method="PUT")).close()
        yield near, far
    finally:
        process.kill()
        process.communicate()


def below(root: str, store: S3Store | None = None) -> list[FileSystemTarget[str]]:
    """Return targets spread over folders as the outputs of tasks are."""
    factory = TargetFactory({"default": root}, {"s3": store} if store else None)
    return [factory.get_target(f"name/{i % 256:02x}/{i // 256:02x}/{i}.json") for i in range(N)]


def at(endpoint: str) -> S3Store:
    def bucket(name: str) -> Bucket:
        return Bucket(
            name,
            config={
                "endpoint": endpoint,
                "access_key_id": "any",
                "secret_access_key": "any",
                "region": "us-east-1",
            },
            client_options={"allow_http": True},
        )

    return S3Store(bucket=bucket)


def write(target: FileSystemTarget[str]) -> None:
    with target.open("wb"):
        pass


def bulk(targets: list[FileSystemTarget[str]]) -> Callable[[], float]:
    def ask() -> None:
        assert all(exists_many(targets))

    return lambda: seconds(ask) * 1e3


def one_by_one(targets: list[FileSystemTarget[str]]) -> Callable[[], float]:
    def ask() -> None:
        assert all(target.exists() for target in targets)

    return lambda: seconds(ask) * 1e3 * N / len(targets)


def bare_pages(endpoint: str) -> Callable[[], float]:
    """List the bucket page by page and nothing else: what the server takes for the keys."""

    def ask() -> None:
        token, asked = "", 0
        while asked == 0 or token:
            url = f"{endpoint}/bucket?list-type=2&max-keys=1000{token}"
            with urllib.request.urlopen(url) as answer:
                found = re.search(rb"<NextContinuationToken>(.+?)</", answer.read())
            token = f"&continuation-token={quote(found[1])}" if found else ""
            asked += 1
        assert asked == N / 1000

    return lambda: seconds(ask) * 1e3


class Leaf(AutoTask[str]):
    """Has an output that is there."""

    n: int


class Root(AutoTask[str]):
    """Needs all of them."""

    leaves: tuple[Leaf, ...]

    def requires(self) -> TaskStruct:
        return self.leaves


def local() -> Iterator[Figure]:
    """Ask for the outputs of tasks: of all of them, by `exists_many` and by a build, and of one."""
    with tempfile.TemporaryDirectory() as directory:
        root_of = {"default": directory}
        with target_factory_provider.override(TargetFactory(root_of)):
            root = Root(leaves=tuple(Leaf(n=n) for n in range(N)))
            targets = [task.output() for task in (*root.leaves, root)]
        for target in targets:
            write(target)
        paths = [target.path for target in targets]

        def built(tasks: Sequence[AutoTask[str]]) -> float:
            # another factory, so that no output is placed yet
            with target_factory_provider.override(TargetFactory(root_of)):
                return seconds(lambda: build(tasks).raise_for_status()) * 1e3

        many, every, one, base, floor_of_one = interleaved(
            bulk(targets),
            lambda: built(root.leaves),
            lambda: built([root]),
            lambda: stat(paths),
            lambda: stat(paths[:1]),
        )
    yield at_most(f"{N:,} outputs on disk, all there", many, "ms", 1.5, floor=base, floors=True)
    asked = f"build of {N:,} tasks that are complete"
    yield at_most(f"{asked}, each asked", every, "ms", 1.5, floor=base, floors=True)
    yield at_most(f"{asked}, their root asked", one, "ms", 1, floor=floor_of_one)


def stat(paths: Sequence[str]) -> float:
    return seconds(lambda: [os.stat(path) for path in paths]) * 1e3  # noqa: PTH116


def remote(where: str, endpoint: str) -> Figure:
    targets = below("s3://bucket", at(endpoint))
    value, rival, base = interleaved(
        bulk(targets), one_by_one(targets[:SAMPLE]), bare_pages(endpoint)
    )
    return Figure(
        figure=f"{N:,} outputs on S3, {where}, all there",
        value=value,
        unit="ms",
        floor=base,
        ratio=rival / value,
        reach=">= 20 x faster than one by one",
        holds=rival >= 20 * value,
        rivals={"one by one": rival},
    )


def figures() -> Iterator[Figure]:
    yield from local()
    with s3() as (near, far):
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(write, below("s3://bucket", at(near))))
        yield remote("on this machine", near)
        yield remote(f"{DISTANCE_S * 1e3:g} ms away", far)


if __name__ == "__main__":
    report(list(figures()))
