"""Which store the objects of a URI are in, and the settings that stores are made with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stardag._errors import ConfigError
from stardag.target.stores.cached import CachedStore
from stardag.target.stores.disk_cache import DiskCache
from stardag.target.stores.memory import MemoryStore
from stardag.target.stores.remote import RemoteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from stardag.target._store import Store


@dataclass(frozen=True)
class StoreSettings:
    """How stores write and read."""

    write_once: bool = False
    """Never replace an object: a second write of it is dropped, without an error, as equal
    tasks have equal outputs."""
    fsync: bool = False
    """Local files: end a write only when it would survive a power failure."""
    cache_dir: Path | None = None
    """Where copies of remote objects are kept once they have been read; None keeps none."""
    cache_max_bytes: int = 10 * 2**30
    """Most bytes of copies in `cache_dir`; the least recently used go first."""


def _open_s3(settings: StoreSettings) -> Store:
    try:
        from stardag.target.stores.s3 import S3Store
    except ModuleNotFoundError as error:
        if error.name != "obstore":
            raise
        raise ConfigError(
            "s3:// needs obstore, which is not installed: pip install 'stardag[s3]'"
        ) from None
    return S3Store(write_once=settings.write_once)


_makers: dict[str, Callable[[StoreSettings], Store]] = {
    "memory://": lambda settings: MemoryStore(write_once=settings.write_once),
    "s3://": _open_s3,
}


def register_store(prefix: str, make: Callable[[StoreSettings], Store]) -> None:
    """Keep the objects whose URI starts with `prefix` in the store that `make` returns.

    `prefix` is a scheme (`gs://`), or a scheme and what follows (`s3://bucket/`); the longest
    that fits decides. The store gets paths without the scheme. `make` is called once for each
    target factory, when the first target is made; where reads are cached by setting, a
    `RemoteStore` is put behind the cache.

    Raises `ValueError` if `prefix` has no scheme.
    """
    if "://" not in prefix:
        raise ValueError(f"{prefix!r} is no prefix of URIs; write {prefix}:// for a scheme")
    _makers[as_prefix(prefix)] = make


def as_prefix(text: str) -> str:
    """Return a scheme or the beginning of a URI as a prefix that ends where a name ends."""
    prefix = text if "://" in text else f"{text}://"
    return prefix if prefix.endswith("/") else f"{prefix}/"


def registered_count() -> int:
    """Return how many prefixes are registered; none is ever taken away."""
    return len(_makers)


def longest_first(beside: Iterable[str]) -> list[str]:
    """Return the registered prefixes and those of `beside`, the longest first."""
    return sorted({*_makers, *beside}, key=len, reverse=True)


def open_store(prefix: str, settings: StoreSettings) -> Store:
    """Make the store that is registered for `prefix`, behind the cache if there is to be one."""
    store = _makers[prefix](settings)
    if settings.cache_dir is None or not isinstance(store, RemoteStore):
        return store
    return CachedStore(store, DiskCache(settings.cache_dir, settings.cache_max_bytes))
