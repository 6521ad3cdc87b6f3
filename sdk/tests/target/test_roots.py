"""From names of roots to targets."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import stardag as sd
from stardag.target import Store, StoreSettings, TargetFactory, register_store
from stardag.target.serialize import BytesSerializer
from stardag.target.stores.memory import MemoryStore


@pytest.mark.parametrize(
    ("root", "relpath", "uri"),
    [
        ("/data", "a/b.json", "/data/a/b.json"),
        ("/data/", "a", "/data/a"),
        ("file:///data", "a", "/data/a"),
        ("memory://m", "a", "memory://m/a"),
        ("/data", "/full/path", "/full/path"),
        ("/data", "memory://m/x", "memory://m/x"),
    ],
)
def test_a_target_is_below_its_root_unless_its_path_is_full(
    root: str, relpath: str, uri: str
) -> None:
    assert TargetFactory({"default": root}).get_target(relpath).uri == uri


def test_an_unknown_root_is_an_error_that_says_how_to_set_it() -> None:
    factory = TargetFactory({"default": "/d", "cold": "/c"})
    with pytest.raises(sd.ConfigError, match=r"'hot' \(known: cold, default\); set STARDAG_TARGET"):
        factory.get_target("x", "hot")


def test_an_unknown_scheme_is_an_error() -> None:
    with pytest.raises(sd.ConfigError, match="no store for gopher://h/x"):
        TargetFactory({"default": "gopher://h"}).get_target("x")


def test_the_longest_prefix_decides_whenever_it_was_registered() -> None:
    root, special = MemoryStore(), MemoryStore()
    factory = TargetFactory({"default": "box://a"}, {"box": root})
    assert factory.get_target("b/c").store is root
    register_store("box://a/b", lambda settings: special)
    assert factory.get_target("b/c").store is special
    assert factory.get_target("bc").store is root
    assert factory.get_target("box://a/b/c") == factory.get_target("b/c")


def test_threads_that_ask_at_once_get_one_store() -> None:
    made: list[MemoryStore] = []

    def make(settings: StoreSettings) -> MemoryStore:
        made.append(MemoryStore())
        return made[-1]

    register_store("shared://", make)
    factory = TargetFactory()

    def store_of(name: int) -> Store:
        return factory.get_target(f"shared://{name}", serializer=BytesSerializer()).store

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(store_of, range(100)))) == 1


def test_a_prefix_needs_a_scheme() -> None:
    with pytest.raises(ValueError, match="write gs:// for a scheme"):
        register_store("gs", lambda settings: MemoryStore())


@pytest.mark.parametrize(
    ("root", "relpath", "uri"),
    [
        ("memory://", "a", "memory://a"),
        ("file://localhost/data", "a", "/data/a"),
        (Path("/data"), "a", "/data/a"),
        ("/", "a", "/a"),
    ],
)
def test_a_root_may_be_written_as_paths_and_uris_are(
    root: str | Path, relpath: str, uri: str
) -> None:
    assert TargetFactory({"default": root}).get_target(relpath).uri == uri


def test_a_relative_root_stays_where_it_was_when_the_working_directory_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    factory = TargetFactory({"default": "out", "home": "~/out"})
    monkeypatch.chdir("/")
    assert factory.get_target("a").uri == str(tmp_path / "out/a")
    assert factory.get_target("a", "home").uri == str(Path.home() / "out/a")


@pytest.mark.parametrize(
    ("root", "problem"),
    [
        ("", "target_roots.default: it is empty"),
        (" ", "target_roots.default: it is empty"),
        (3, "target_roots.default: .*string"),
        ("s3:/bucket", "a URI has two slashes after its scheme: s3://bucket"),
        ("s3://", "s3:// names no bucket"),
        ("file://data", "file:// is followed by a full path: file:///data"),
    ],
)
def test_a_root_that_is_no_place_is_an_error_at_once(root: str, problem: str) -> None:
    with pytest.raises(sd.ConfigError, match=problem):
        TargetFactory({"default": root})


@pytest.mark.parametrize(
    "relpath", ["", "..", "../out", "a/../b", "a/..", ".", "./a", "a/./b", "a/"]
)
@pytest.mark.parametrize("root", ["/data", "memory://m"])
def test_a_path_that_leads_out_of_its_root_or_to_no_object_is_refused(
    root: str, relpath: str
) -> None:
    factory = TargetFactory({"default": root})
    with pytest.raises(ValueError, match=f"{relpath!r} can't be the path of a target"):
        factory.get_target(relpath)
    if relpath not in ("", "a/"):
        with pytest.raises(ValueError, match="can't be the path of a target"):
            factory.get_directory_target(relpath)


@pytest.mark.parametrize("relpath", ["a..b", "..a/b", "a/.hidden", ".a", "a./b", "a/...", "a b"])
def test_dots_in_a_name_are_no_reason_to_refuse_it(relpath: str) -> None:
    assert TargetFactory({"default": "/data"}).get_target(relpath).uri == f"/data/{relpath}"


def test_a_path_may_be_a_path_object_and_nothing_else() -> None:
    factory = TargetFactory({"default": "/data"})
    assert factory.get_target(Path("a/b")).uri == "/data/a/b"
    assert factory.get_directory_target(Path("a/b")).uri == "/data/a/b/"
    with pytest.raises(TypeError, match="not int"):
        factory.get_target(3)  # pyright: ignore[reportArgumentType]
