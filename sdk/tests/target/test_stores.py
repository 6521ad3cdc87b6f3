"""The contract of every store, run on every store."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from stardag.target import FileSystemTarget, LocalTarget, TargetFactory
from stardag.target.serialize import BytesSerializer
from stardag.target.stores.memory import MemoryStore

MakeTarget = Callable[[str], FileSystemTarget[bytes]]


@pytest.fixture(params=["local", "memory"])
def make_target(request: pytest.FixtureRequest, tmp_path: Path) -> MakeTarget:
    roots = {"local": str(tmp_path / "root"), "memory": "memory://root"}
    factory = TargetFactory({"default": roots[request.param]}, {"memory": MemoryStore()})
    return lambda path: factory.get_target(path, serializer=BytesSerializer())


def test_what_is_written_is_read(make_target: MakeTarget) -> None:
    target = make_target("deep/er/name with space é.bin")
    assert not target.exists()
    with target.open("wb") as file:
        file.write(b"\x00\xff")
    assert target.exists()
    with target.open("rb") as file:
        assert file.read() == b"\x00\xff"


def test_text_is_utf8_with_its_line_ends(
    make_target: MakeTarget,
) -> None:
    target = make_target("text")
    text = "é\r\nline\n\rend"
    with target.open("w") as file:
        file.write(text)
    with target.open("rb") as file:
        assert file.read() == text.encode()
    with target.open("r") as file:
        assert file.read() == text


@pytest.mark.parametrize("mode", ["w", "wb"])
def test_a_failed_write_leaves_nothing(make_target: MakeTarget, mode: str, tmp_path: Path) -> None:
    target = make_target("failing")
    with pytest.raises(RuntimeError), target.open(mode) as file:  # pyright: ignore
        file.write("half" if mode == "w" else b"half")
        file.flush()
        raise RuntimeError
    assert not target.exists()
    assert not list(tmp_path.rglob("*.partial"))


def test_a_failed_write_leaves_what_was_there(
    make_target: MakeTarget,
) -> None:
    target = make_target("kept")
    with target.open("w") as file:
        file.write("old")
    with pytest.raises(RuntimeError), target.open("w") as file:
        file.write("new")
        raise RuntimeError
    with target.open() as file:
        assert file.read() == "old"


def test_nothing_is_seen_before_the_block_ends(
    make_target: MakeTarget,
) -> None:
    target = make_target("hidden")
    with target.open("wb") as file:
        file.write(b"x" * 100_000)
        file.flush()
        assert not target.exists()


def test_of_two_writers_at_once_one_wins_whole(
    make_target: MakeTarget,
) -> None:
    target = make_target("contended")
    barrier = threading.Barrier(4)

    def write(byte: bytes) -> None:
        with target.open("wb") as file:
            for _ in range(50):
                file.write(byte * 1000)
            barrier.wait()

    threads = [threading.Thread(target=write, args=(bytes([65 + i]),)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with target.open("rb") as file:
        content = file.read()
    assert len(content) == 50_000
    assert len(set(content)) == 1


def test_an_open_reader_keeps_what_it_opened(
    make_target: MakeTarget,
) -> None:
    target = make_target("replaced")
    with target.open("wb") as file:
        file.write(b"old")
    with target.open("rb") as reader:
        with target.open("wb") as file:
            file.write(b"new")
        assert reader.read() == b"old"


def test_reading_what_is_not_there_says_so(
    make_target: MakeTarget,
) -> None:
    from stardag import TargetNotFoundError

    target = make_target("absent")
    with pytest.raises(TargetNotFoundError, match=r"absent does not exist"), target.open("rb"):
        pass
    with pytest.raises(TargetNotFoundError), target.proxy_path("r"):
        pass


def test_an_empty_object_exists(
    make_target: MakeTarget,
) -> None:
    target = make_target("empty")
    with target.open("wb"):
        pass
    assert target.exists()


def test_a_local_path_stands_for_the_object_both_ways(
    make_target: MakeTarget,
) -> None:
    target = make_target("by/path.txt")
    with target.proxy_path("w") as path:
        path.write_text("written by name")
        assert path.suffix == ".txt"
    with target.proxy_path("r") as path:
        assert path.read_text() == "written by name"


def test_an_exception_while_writing_by_path_leaves_nothing(
    make_target: MakeTarget,
) -> None:
    target = make_target("by/path")
    with pytest.raises(RuntimeError), target.proxy_path("w") as path:
        path.write_text("half")
        raise RuntimeError
    assert not target.exists()


def test_what_is_deleted_is_gone(make_target: MakeTarget) -> None:
    target = make_target("deleted")
    with target.open("wb"):
        pass
    target.store.delete(target.path)
    target.store.delete(target.path)
    assert not target.exists()


def test_a_file_gets_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    target = LocalTarget[bytes](tmp_path / "file")
    umask = os.umask(0o022)
    try:
        with target.open("wb"):
            pass
    finally:
        os.umask(umask)
    assert Path(target.uri).stat().st_mode & 0o777 == 0o644


def test_a_long_file_name_is_no_obstacle(tmp_path: Path) -> None:
    target = LocalTarget[bytes](tmp_path / ("x" * 255))
    with target.open("wb"):
        pass
    assert target.exists()
