"""What is in a store, as stores list it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from stardag import ConfigError
from stardag.target import StoreSettings, TargetFactory
from stardag.target.serialize import BytesSerializer
from stardag.target.stores.memory import MemoryStore

from .s3_server import S3Server


@pytest.fixture(params=["local", "s3", "s3, cached"])
def listing_factory(request: pytest.FixtureRequest, tmp_path: Path) -> TargetFactory:
    """Make targets in a store that can list them."""
    if request.param == "local":
        return TargetFactory({"default": str(tmp_path / "root")})
    s3: S3Server = request.getfixturevalue("s3")
    cache_dir = tmp_path / "cache" if "cached" in request.param else None
    root = {"default": f"s3://{s3.bucket}/root"}
    return TargetFactory(root, settings=StoreSettings(cache_dir=cache_dir))


def test_objects_are_listed_with_size_and_age_and_no_others(
    listing_factory: TargetFactory,
) -> None:
    targets = [
        listing_factory.get_target(path, serializer=BytesSerializer())
        for path in ("in/a", "in/deep/er/b b", "inside", "out/c")
    ]
    for size, target in enumerate(targets):
        target.save(b"x" * size)
    folder = listing_factory.get_directory_target("in")
    found = {each.path: each for each in folder.store.list_objects(folder.path)}
    assert {path: each.size for path, each in found.items()} == {
        targets[0].path: 0,
        targets[1].path: 1,
    }
    assert all(abs(time.time() - each.modified) < 3600 for each in found.values())


def test_a_folder_that_is_not_there_has_no_objects(listing_factory: TargetFactory) -> None:
    folder = listing_factory.get_directory_target("nowhere")
    assert list(folder.store.list_objects(folder.path)) == []


def test_more_objects_than_a_page_has_are_listed(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stardag.target.stores.s3.PAGE", 2)
    factory = TargetFactory({"default": f"s3://{s3.bucket}"})
    for name in "abcde":
        factory.get_target(name, serializer=BytesSerializer()).save(b"")
    root = factory.get_directory_target("")
    assert [each.path[-1] for each in root.store.list_objects(root.path)] == [*"abcde"]


def test_links_are_neither_followed_nor_listed(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    for directory in (outside, root):
        directory.mkdir()
        (directory / "file").touch()
    (root / "folder").symlink_to(outside)
    (root / "link").symlink_to(outside / "file")
    folder = TargetFactory({"default": root}).get_directory_target("")
    assert [each.path for each in folder.store.list_objects(folder.path)] == [str(root / "file")]


def test_a_folder_that_can_not_be_read_is_no_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = TargetFactory({"default": tmp_path / "file"}).get_directory_target("")
    with pytest.raises(NotADirectoryError):
        list(folder.store.list_objects(folder.path))


def test_a_store_that_can_not_list_says_so() -> None:
    factory = TargetFactory({"default": "memory://root"}, {"memory": MemoryStore()})
    folder = factory.get_directory_target("")
    with pytest.raises(ConfigError, match=r"MemoryStore has no list_objects\(folder\)"):
        folder.store.list_objects(folder.path)
