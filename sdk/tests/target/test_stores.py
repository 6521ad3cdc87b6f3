"""The contract of every store, run on every store."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from stardag import TargetNotFoundError
from stardag.target import FileSystemTarget, TargetFactory, exists_many
from stardag.target.serialize import BytesSerializer, get_serializer

MakeTarget = Callable[[str], FileSystemTarget[bytes]]


@pytest.fixture
def make_target(factory: TargetFactory) -> MakeTarget:
    return lambda path: factory.get_target(path, serializer=BytesSerializer())


@pytest.mark.parametrize(
    "name",
    [
        "deep/er/name.bin",
        "with space é 日本.bin",
        "a#b",
        "50%",
        "a%20b",
        "a+b",
        "q?x=1&y=2",
        "~[x]{y}*'\"",
        "back\\slash",
        ".hidden",
        "x" * 255,
    ],
)
def test_what_is_written_is_read_whatever_its_name(make_target: MakeTarget, name: str) -> None:
    target = make_target(name)
    assert not target.exists()
    target.save(b"\x00\xff")
    assert target.exists()
    assert target.uri.endswith(f"root/{name}")
    assert target.load() == b"\x00\xff"
    target.save(b"other")
    assert target.load() == b"other"


def test_names_that_look_alike_are_different_objects(make_target: MakeTarget) -> None:
    names = ["a b", "a%20b", "a+b", "A b", "a\u0301 b", "á b"]
    for name in names:
        make_target(name).save(name.encode())
    assert [make_target(name).load() for name in names] == [name.encode() for name in names]


def test_text_is_utf8_with_its_line_ends(make_target: MakeTarget) -> None:
    target = make_target("text")
    text = "é\r\nline\n\rend\u2028\N{GRINNING FACE}"
    with target.open("w") as file:
        file.write(text)
    with target.open("rb") as file:
        assert file.read() == text.encode()
    with target.open("r") as file:
        assert file.read() == text


def test_text_that_is_no_utf8_leaves_nothing(make_target: MakeTarget) -> None:
    target = make_target("text")
    with pytest.raises(UnicodeEncodeError), target.open("w") as file:
        file.write("\ud800")
    assert not target.exists()


@pytest.mark.parametrize("mode", ["w", "wb"])
@pytest.mark.parametrize("size", [4, 20_000_000], ids=["small", "large"])
def test_a_failed_write_leaves_nothing(
    make_target: MakeTarget, mode: Literal["w", "wb"], size: int, tmp_path: Path
) -> None:
    target = make_target("failing")
    with pytest.raises(RuntimeError):
        if mode == "w":
            with target.open("w") as text:
                text.write("x" * size)
                raise RuntimeError
        with target.open("wb") as file:
            file.write(b"x" * size)
            file.flush()
            raise RuntimeError
    assert not target.exists()
    assert not list(tmp_path.rglob("*.partial"))


def test_a_failed_write_leaves_what_was_there(make_target: MakeTarget) -> None:
    target = make_target("kept")
    target.save(b"old")
    with pytest.raises(RuntimeError), target.open("w") as file:
        file.write("new")
        raise RuntimeError
    assert target.load() == b"old"


def test_nothing_is_seen_before_the_block_ends(make_target: MakeTarget) -> None:
    target = make_target("hidden")
    with target.open("wb") as file:
        file.write(b"x" * 100_000)
        file.flush()
        assert not target.exists()
    assert target.exists()


def test_of_writers_at_once_one_wins_whole(make_target: MakeTarget) -> None:
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
    content = target.load()
    assert len(content) == 50_000
    assert len(set(content)) == 1


def test_an_open_reader_keeps_what_it_opened(make_target: MakeTarget) -> None:
    target = make_target("replaced")
    target.save(b"old" * 100_000)
    with target.open("rb") as reader:
        assert reader.read(3) == b"old"
        target.save(b"new")
        assert reader.read() == b"old" * 99_999


def test_what_is_replaced_over_and_over_is_always_read_whole(make_target: MakeTarget) -> None:
    target = make_target("busy")
    target.save(b"0" * 300_000)
    done = threading.Event()

    def replace() -> None:
        for i in range(30):
            target.save(str(i % 10).encode() * (300_000 - i))
        done.set()

    writer = threading.Thread(target=replace)
    writer.start()
    versions: list[bytes] = []
    while not done.is_set():
        versions.append(target.load())
    writer.join()
    versions.append(target.load())
    assert all(len(set(content)) == 1 for content in versions)
    assert versions[-1] == b"9" * (300_000 - 29)


def test_a_reader_can_go_to_any_position(make_target: MakeTarget) -> None:
    target = make_target("positions")
    target.save(b"0123456789")
    with target.open("rb") as file:
        file.seek(-3, 2)
        assert file.read() == b"789"
        file.seek(1)
        assert file.read(2) == b"12"


def test_reading_what_is_not_there_says_so(make_target: MakeTarget) -> None:
    target = make_target("absent")
    with pytest.raises(TargetNotFoundError, match=r"absent does not exist"), target.open("rb"):
        pass
    with pytest.raises(TargetNotFoundError), target.proxy_path("r"):
        pass
    with pytest.raises(TargetNotFoundError):
        target.load()


def test_a_missing_file_of_the_block_is_not_taken_for_the_target(make_target: MakeTarget) -> None:
    target = make_target("there")
    target.save(b"")
    with pytest.raises(FileNotFoundError) as raised, target.open("rb"):
        Path("elsewhere").read_bytes()
    assert not isinstance(raised.value, TargetNotFoundError)


def test_an_empty_object_exists(make_target: MakeTarget) -> None:
    target = make_target("empty")
    with target.open("wb"):
        pass
    assert target.exists()
    assert target.load() == b""


@pytest.mark.parametrize("size", [9_000_000, pytest.param(100_000_000, marks=pytest.mark.slow)])
def test_a_large_object_comes_back_as_it_was(make_target: MakeTarget, size: int) -> None:
    target = make_target("large")
    piece = hashlib.sha512(b"seed").digest() * 1000
    written, read = hashlib.blake2b(), hashlib.blake2b()
    with target.open("wb") as file:
        for i in range(size // len(piece)):
            content = i.to_bytes(8) + piece
            written.update(content)
            file.write(content)
    with target.open("rb") as file:
        while content := file.read(1_000_000):
            read.update(content)
    assert read.digest() == written.digest()


def test_a_folder_is_no_object_and_an_object_no_folder(make_target: MakeTarget) -> None:
    make_target("folder/object").save(b"")
    assert not make_target("folder").exists()
    assert not make_target("folder/object/below").exists()
    with pytest.raises(TargetNotFoundError):
        make_target("folder/object/below").load()


def test_a_local_path_stands_for_the_object_both_ways(make_target: MakeTarget) -> None:
    target = make_target("by/path.txt")
    with target.proxy_path("w") as path:
        path.write_text("written by name")
        assert path.name == "path.txt"
        assert not target.exists()
    with target.proxy_path("r") as path:
        assert path.read_text() == "written by name"
        assert path.name == "path.txt"


def test_an_exception_while_writing_by_path_leaves_nothing(
    make_target: MakeTarget, tmp_path: Path
) -> None:
    target = make_target("by/path")
    with pytest.raises(RuntimeError), target.proxy_path("w") as path:
        path.write_text("half")
        raise RuntimeError
    assert not target.exists()
    assert not list(tmp_path.rglob("*.partial"))


def test_nothing_written_to_a_local_path_is_an_error(make_target: MakeTarget) -> None:
    target = make_target("by/path")
    problem = r"by/path: nothing was written to the path that was given for it"
    with pytest.raises(FileNotFoundError, match=problem), target.proxy_path("w"):
        pass
    assert not target.exists()


def test_a_directory_at_a_local_path_is_an_error(make_target: MakeTarget, tmp_path: Path) -> None:
    target = make_target("by/path")
    problem = r"by/path: a directory was made at the path .* DirectoryTarget"
    with pytest.raises(IsADirectoryError, match=problem), target.proxy_path("w") as path:
        path.mkdir()
    assert not list(tmp_path.rglob("path"))


def test_what_is_deleted_is_gone(make_target: MakeTarget) -> None:
    target = make_target("deleted")
    target.save(b"content")
    assert target.load() == b"content"
    target.store.delete(target.path)
    target.store.delete(target.path)
    assert not target.exists()
    with pytest.raises(TargetNotFoundError):
        target.load()


@pytest.mark.parametrize("count", [0, 1, 10, 200])
def test_many_are_asked_for_at_once_and_answered_in_order(
    make_target: MakeTarget, count: int
) -> None:
    targets = [make_target(f"{i % 7}/é{i:03}") for i in range(count)]
    there = [i % 3 == 0 or i % 7 == 5 for i in range(count)]
    for target, exists in zip(targets, there, strict=True):
        if exists:
            target.save(b"")
    if count:
        make_target("0/é").save(b"")
    assert exists_many(targets) == there
    assert exists_many(targets[::-1]) == there[::-1]


def test_one_that_is_asked_for_twice_is_answered_twice(make_target: MakeTarget) -> None:
    make_target("there").save(b"")
    targets = [make_target("there"), make_target("absent"), make_target("there")]
    assert exists_many(targets) == [True, False, True]


async def test_a_target_can_be_asked_read_and_written_without_blocking_the_loop(
    make_target: MakeTarget,
) -> None:
    target = make_target("aio")
    assert not await target.exists_aio()
    await target.save_aio(b"content")
    assert await target.exists_aio()
    assert await target.load_aio() == b"content"


def test_modes_that_there_are_not_are_refused(make_target: MakeTarget) -> None:
    with pytest.raises(ValueError, match="mode must be 'r', 'w', 'rb' or 'wb', not 'a'"):
        make_target("x").open("a")  # pyright: ignore
    with pytest.raises(ValueError, match="mode must be 'r' or 'w', not 'rb'"):
        make_target("x").proxy_path("rb")  # pyright: ignore


def test_a_value_of_a_type_is_written_and_read(factory: TargetFactory) -> None:
    target = factory.get_target("value.json", serializer=get_serializer(dict[str, list[int]]))
    target.save({"é": [1, 2**70]})
    assert target.load() == {"é": [1, 2**70]}
