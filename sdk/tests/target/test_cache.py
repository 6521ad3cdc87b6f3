"""Reading through the cache of remote objects: fetched once, never stale, torn or too much."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from stardag.target import (
    FileSystemTarget,
    RemoteStore,
    StoreSettings,
    TargetFactory,
    register_store,
)
from stardag.target.stores.cached import CachedStore
from stardag.target.stores.disk_cache import ABANDONED_S, DiskCache


class CountingStore(RemoteStore):
    """Objects and their versions in memory; counts what is fetched."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[str, bytes]] = {}
        self.fetched = 0

    def uri(self, path: str) -> str:
        return f"remote://{path}"

    def exists(self, path: str) -> bool:
        return path in self.objects

    def version(self, path: str) -> str:
        return self._get(path)[0]

    def fetch(self, path: str, into: IO[bytes]) -> str:
        version, content = self._get(path)
        self.fetched += 1
        into.write(content)
        return version

    @contextmanager
    def writer(self, path: str) -> Generator[IO[bytes]]:
        content = io.BytesIO()
        yield content
        self.put(path, content.getvalue())

    def delete(self, path: str) -> None:
        self.objects.pop(path, None)

    def put(self, path: str, content: bytes) -> None:
        self.objects[path] = (os.urandom(8).hex(), content)

    def _get(self, path: str) -> tuple[str, bytes]:
        if path not in self.objects:
            raise FileNotFoundError(path)
        return self.objects[path]


@pytest.fixture
def remote() -> CountingStore:
    return CountingStore()


def cached(remote: CountingStore, directory: Path, max_bytes: int = 1_000_000) -> CachedStore:
    return CachedStore(remote, DiskCache(directory, max_bytes))


def read(store: CachedStore, path: str) -> bytes:
    with store.reader(path) as file:
        return file.read()


def size_of(directory: Path) -> int:
    return sum(entry.stat().st_size for entry in directory.iterdir())


def test_an_object_is_fetched_once(remote: CountingStore, tmp_path: Path) -> None:
    remote.put("a", b"content")
    store = cached(remote, tmp_path / "cache")
    assert [read(store, "a") for _ in range(3)] == [b"content"] * 3
    with store.path_for_reading("a") as path:
        assert path.read_bytes() == b"content"
    assert read(cached(remote, tmp_path / "cache"), "a") == b"content"
    assert remote.fetched == 1


def test_an_object_that_was_replaced_is_fetched_anew(remote: CountingStore, tmp_path: Path) -> None:
    store = cached(remote, tmp_path)
    remote.put("a", b"old")
    assert read(store, "a") == b"old"
    remote.put("a", b"new")
    assert read(store, "a") == b"new"


def test_an_object_that_was_deleted_is_not_there(remote: CountingStore, tmp_path: Path) -> None:
    store = cached(remote, tmp_path)
    remote.put("a", b"content")
    read(store, "a")
    remote.delete("a")
    with pytest.raises(FileNotFoundError):
        read(store, "a")


def test_the_least_recently_used_goes_first(remote: CountingStore, tmp_path: Path) -> None:
    store = cached(remote, tmp_path, max_bytes=3000)
    for i, name in enumerate("abc"):
        remote.put(name, bytes(1000))
        read(store, name)
        entry = next(e for e in tmp_path.iterdir() if e.stat().st_mtime > 1000)
        os.utime(entry, (i + 1, i + 1))
    read(store, "a")  # a, of 1970, was used just now; b is the oldest
    remote.put("d", bytes(1000))
    read(store, "d")
    assert remote.fetched == 4
    assert size_of(tmp_path) <= 3000
    for name in "acd":
        read(store, name)
    assert remote.fetched == 4
    read(store, "b")
    assert remote.fetched == 5


def test_an_object_larger_than_the_cache_is_read_and_not_kept(
    remote: CountingStore, tmp_path: Path
) -> None:
    store = cached(remote, tmp_path, max_bytes=10)
    remote.put("a", b"more than ten bytes")
    assert read(store, "a") == b"more than ten bytes"
    assert size_of(tmp_path) == 0


def test_a_dropped_object_stays_readable_where_it_is_open(
    remote: CountingStore, tmp_path: Path
) -> None:
    store = cached(remote, tmp_path, max_bytes=1000)
    remote.put("a", b"a" * 1000)
    remote.put("b", b"b" * 1000)
    with store.reader("a") as file:
        read(store, "b")
        assert size_of(tmp_path) == 1000
        assert file.read() == b"a" * 1000


def test_a_failed_fetch_leaves_nothing(remote: CountingStore, tmp_path: Path) -> None:
    def fail(into: IO[bytes]) -> str:
        into.write(b"half")
        raise OSError("the connection broke")

    with pytest.raises(OSError, match="the connection broke") as raised:
        DiskCache(tmp_path, 1000).add(fail)
    assert raised.value.__notes__ == [f"while a copy was being written to the cache {tmp_path}"]
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_once_it_is_old(
    remote: CountingStore, tmp_path: Path
) -> None:
    for name in ("old", "young"):
        (tmp_path / f".entry.{name}.partial").write_bytes(b"half")
    then = (tmp_path / ".entry.old.partial").stat().st_mtime - ABANDONED_S - 1
    os.utime(tmp_path / ".entry.old.partial", (then, then))
    remote.put("a", b"content")
    read(cached(remote, tmp_path), "a")
    assert sorted(tmp_path.glob(".*")) == [tmp_path / ".entry.young.partial"]


READ_AT_RANDOM = """
import random, sys
from pathlib import Path
from stardag.target.stores.disk_cache import DiskCache

cache = DiskCache(Path(sys.argv[1]), 60_000)
chance = random.Random(sys.argv[2])
for _ in range(300):
    key = chance.randrange(40)
    content = f"{key:04}".encode() * (500 + key * 7)

    def write(into):
        for i in range(0, len(content), 100):
            into.write(content[i : i + 100])
            into.flush()
        return str(key)

    with cache.get(str(key)) or cache.add(write) as file:
        assert file.read() == content
"""


def test_processes_share_a_cache_and_never_read_a_torn_object(tmp_path: Path) -> None:
    directory = tmp_path / "cache"
    processes = [
        subprocess.Popen([sys.executable, "-c", READ_AT_RANDOM, str(directory), str(seed)])
        for seed in range(3)
    ]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    largest = 4 * (500 + 39 * 7)
    assert size_of(directory) <= 60_000 + 3 * (60_000 // 16 + largest)


def test_a_store_that_is_remote_is_cached_by_setting(remote: CountingStore, tmp_path: Path) -> None:
    register_store("remote://", lambda settings: remote)
    settings = StoreSettings(cache_dir=tmp_path, cache_max_bytes=1_000_000)
    factory = TargetFactory(settings=settings)
    target: FileSystemTarget[str] = factory.get_target("remote://folder/object")
    with target.open("w") as file:
        file.write("content")
    for _ in range(3):
        with target.open() as file:
            assert file.read() == "content"
    assert remote.fetched == 1
