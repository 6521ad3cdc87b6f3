"""From names of roots to targets."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

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
