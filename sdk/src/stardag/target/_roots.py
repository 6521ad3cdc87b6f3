"""From a path relative to a named target root to a target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from stardag._errors import ConfigError
from stardag._provider import Provider
from stardag.target._file import FileSystemTarget, LocalTarget
from stardag.target.stores.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stardag.target._protocols import Serializer, Store

T = TypeVar("T")


class TargetFactory:
    """Makes targets below named roots, each a local path or the URI of a store."""

    def __init__(
        self,
        target_roots: Mapping[str, str] | None = None,
        stores: Mapping[str, Store] | None = None,
    ) -> None:
        """Make a factory.

        `target_roots` are roots by name, by default those of the configuration; `stores`
        are stores by URI scheme, beside `memory`.
        """
        self._roots = dict(target_roots) if target_roots is not None else None
        self._stores: dict[str, Store] = {"memory": MemoryStore(), **(stores or {})}
        self._bases: dict[str, str] = {}

    def get_target(
        self,
        relpath: str,
        target_root_key: str = "default",
        serializer: Serializer[T] | None = None,
    ) -> FileSystemTarget[T]:
        """Return the target at `relpath` below a root.

        A full path or a URI is used as it is. Raises `ConfigError` if there is no such root,
        or no store for its scheme.
        """
        if relpath.startswith("/") or "://" in relpath:
            full = relpath
        else:
            full = f"{self._base(target_root_key)}/{relpath}"
        scheme, separator, path = full.partition("://")
        if not separator:
            return LocalTarget(full, serializer)
        if scheme == "file":
            return LocalTarget(path, serializer)
        return FileSystemTarget(self._store(scheme, full), path, serializer)

    def _base(self, key: str) -> str:
        base = self._bases.get(key)
        if base is None:
            base = self._bases[key] = self._root(key).rstrip("/")
        return base

    def _root(self, key: str) -> str:
        from stardag.config import Config, get_config

        if self._roots is None:
            return get_config().target_root(key)
        return Config(target_roots=self._roots).target_root(key)

    def _store(self, scheme: str, uri: str) -> Store:
        try:
            return self._stores[scheme]
        except KeyError:
            known = ", ".join(sorted(f"{s}://" for s in self._stores))
            raise ConfigError(
                f"there is no store for {uri} (known: local paths, file://, {known})"
            ) from None


target_factory_provider: Provider[TargetFactory] = Provider(TargetFactory)
"""The factory behind `get_target` and every task's output; override it in tests."""


def get_target(
    relpath: str, target_root_key: str = "default", serializer: Serializer[Any] | None = None
) -> FileSystemTarget[Any]:
    """Return the target at `relpath` below a named root; see `TargetFactory.get_target`."""
    return target_factory_provider.get().get_target(relpath, target_root_key, serializer)
