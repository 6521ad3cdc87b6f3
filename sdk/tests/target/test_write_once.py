"""With `write_once`, an object never changes."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from stardag.target import FileSystemTarget, StoreSettings, TargetFactory
from stardag.target.serialize import BytesSerializer


@pytest.fixture(params=["local", "memory", "s3"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> FileSystemTarget[bytes]:
    match request.param:
        case "s3":
            root = f"s3://{request.getfixturevalue('s3').bucket}"
        case "memory":
            root = "memory://root"
        case _:
            root = str(tmp_path / "root")
    factory = TargetFactory({"default": root}, settings=StoreSettings(write_once=True))
    return factory.get_target("object", serializer=BytesSerializer())


def test_a_second_write_is_dropped(target: FileSystemTarget[bytes], tmp_path: Path) -> None:
    target.save(b"first")
    target.save(b"second")
    with target.proxy_path("w") as path:
        path.write_bytes(b"third")
    assert target.load() == b"first"
    assert not list(tmp_path.rglob("*.partial"))


def test_of_writers_at_once_the_first_to_end_wins(target: FileSystemTarget[bytes]) -> None:
    with target.open("wb") as slow:
        slow.write(b"slow")
        writer = threading.Thread(target=target.save, args=(b"fast",))
        writer.start()
        writer.join()
    assert target.load() == b"fast"


def test_a_large_object_is_written_once_too(target: FileSystemTarget[bytes]) -> None:
    target.save(b"x" * 20_000_000)
    target.save(b"y" * 20_000_000)
    assert set(target.load()) == {ord("x")}


def test_what_is_deleted_can_be_written_again(target: FileSystemTarget[bytes]) -> None:
    target.save(b"first")
    target.store.delete(target.path)
    target.save(b"second")
    assert target.load() == b"second"
