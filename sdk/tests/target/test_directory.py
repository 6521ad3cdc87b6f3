"""Directories of many objects that are complete together, on every store."""

from __future__ import annotations

from pathlib import Path

import pytest

import stardag as sd
from stardag.target import DirectoryTarget, TargetFactory, exists_many, get_directory_target
from stardag.target.serialize import get_serializer


@pytest.fixture
def directory(factory: TargetFactory) -> DirectoryTarget:
    return factory.get_directory_target("models/net")


def test_it_exists_once_it_is_marked_as_done(directory: DirectoryTarget) -> None:
    with (directory / "weights.bin").open("wb") as file:
        file.write(b"\x00")
    directory.get_sub_target("parts/é 1.json", get_serializer(list[int])).save([1])
    assert not directory.exists()
    assert exists_many([directory, directory / "weights.bin"]) == [False, True]
    directory.mark_done()
    assert directory.exists()
    assert exists_many([directory]) == [True]


def test_another_process_finds_what_was_written(
    directory: DirectoryTarget, factory: TargetFactory
) -> None:
    directory.get_sub_target("parts/é 1.json", get_serializer(list[int])).save([1])
    _ = directory / "never written"
    directory.mark_done()
    found = factory.get_directory_target("models/net/")
    assert found == directory
    assert found.names() == ["parts/é 1.json"]
    assert found.get_sub_target(found.names()[0], get_serializer(list[int])).load() == [1]


def test_an_empty_directory_can_be_complete(directory: DirectoryTarget) -> None:
    directory.mark_done()
    assert directory.exists()
    assert directory.names() == []


def test_a_local_path_stands_for_the_directory_both_ways(
    directory: DirectoryTarget, factory: TargetFactory
) -> None:
    with directory.proxy_path("w") as path:
        (path / "parts").mkdir()
        (path / "parts" / "1").write_text("one")
        (path / "index").write_text("index")
        assert not directory.exists()
    assert directory.exists()
    with factory.get_directory_target("models/net").proxy_path("r") as path:
        assert path.name == "net"
        assert (path / "parts" / "1").read_text() == "one"
        assert (path / "index").read_text() == "index"


def test_by_path_there_is_what_was_marked_and_nothing_else(
    directory: DirectoryTarget, factory: TargetFactory
) -> None:
    with (directory / "of/an-attempt-that-failed").open("w") as file:
        file.write("stale")
    again = factory.get_directory_target("models/net")
    with again.proxy_path("w") as path:
        (path / "a").mkdir()
        (path / "a/b").write_text("new")
    with again.proxy_path("r") as path:
        assert [p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()] == ["a/b"]
        assert (path / "a/b").read_text() == "new"


def test_a_path_that_is_no_directory_any_more_marks_nothing(directory: DirectoryTarget) -> None:
    problem = r"models/net/: there is no directory any more at the path"
    with pytest.raises(NotADirectoryError, match=problem), directory.proxy_path("w") as path:
        path.rmdir()
        path.write_text("a file")
    assert not directory.exists()


@pytest.mark.parametrize("content", ["", "{}", "[1]"])
def test_a_mark_of_another_tool_is_an_error_that_names_it(
    content: str, directory: DirectoryTarget, factory: TargetFactory
) -> None:
    with factory.get_target("models/net/_SUCCESS").open("w") as mark:
        mark.write(content)
    assert directory.exists()
    with pytest.raises(ValueError, match=r"models/net/_SUCCESS does not list the objects"):
        directory.names()


def test_a_failed_block_leaves_it_incomplete(directory: DirectoryTarget) -> None:
    with pytest.raises(RuntimeError), directory.proxy_path("w") as path:
        (path / "half").write_text("")
        raise RuntimeError
    assert not directory.exists()


def test_reading_one_that_is_not_complete_says_so(directory: DirectoryTarget) -> None:
    with (directory / "part").open("w") as file:
        file.write("x")
    with pytest.raises(sd.TargetNotFoundError, match="has not marked it as done"):
        directory.names()
    with pytest.raises(sd.TargetNotFoundError), directory.proxy_path("r"):
        pass


@pytest.mark.parametrize("name", ["", "/full", "../out", "a/../b", "a//b", "./a", "_SUCCESS", "a/"])
def test_a_name_must_stay_inside(directory: DirectoryTarget, name: str) -> None:
    with pytest.raises(ValueError, match="can't be the name of a target"):
        _ = directory / name


def test_a_mark_that_names_files_elsewhere_is_refused(tmp_path: Path) -> None:
    factory = TargetFactory({"default": "memory://root"})
    with factory.get_target("net/_SUCCESS").open("w") as mark:
        mark.write('["../outside/file"]')
    with (
        pytest.raises(ValueError, match="can't be the name of a target"),
        factory.get_directory_target("net").proxy_path("r"),
    ):
        pass


class Net(sd.Task[DirectoryTarget]):
    layers: int

    def output(self) -> DirectoryTarget:
        return get_directory_target(f"net/{self.id}")

    def run(self) -> None:
        for i in range(self.layers):
            with (self.output() / str(i)).open("w") as file:
                file.write("weights")
        with self.output().proxy_path("w") as path:
            (path / "all").write_text("weights")


def test_a_task_can_make_one(factory: TargetFactory, tmp_path: Path) -> None:
    with sd.target_factory_provider.override(factory):
        sd.build(Net(layers=2)).raise_for_status()
        assert Net(layers=2).complete()


def test_a_directory_that_a_published_release_completed_is_complete(
    directory: DirectoryTarget, factory: TargetFactory
) -> None:
    for name in ("b.txt", "a/b.txt"):
        with (directory / name).open("w") as file:
            file.write(name)
    with factory.get_target("models/net._SUB_KEYS").open("w") as file:
        file.write("b.txt\na/b.txt")
    found = factory.get_directory_target("models/net")
    assert not found.exists()
    with factory.get_target("models/net._DONE").open("w"):
        pass
    assert found.exists()
    assert exists_many([found]) == [True]
    assert found.names() == ["a/b.txt", "b.txt"]


def test_its_uri_ends_with_a_slash(directory: DirectoryTarget, factory: TargetFactory) -> None:
    assert directory.uri.endswith("models/net/")
    assert factory.get_directory_target("models/net/").uri == directory.uri
