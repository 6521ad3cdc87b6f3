"""From a path relative to a named target root to a target."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from stardag._errors import ConfigError
from stardag._provider import Provider
from stardag.target._directory import DirectoryTarget
from stardag.target._file import FileSystemTarget, LocalTarget
from stardag.target._registered_stores import (
    StoreSettings,
    as_prefix,
    longest_first,
    open_store,
    registered_count,
)
from stardag.target.stores.local import LocalStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stardag.config import Config
    from stardag.target._protocols import Serializer
    from stardag.target._store import Store

T = TypeVar("T")


class TargetFactory:
    """Makes targets below named roots, each a local path or the URI of a store."""

    def __init__(
        self,
        target_roots: Mapping[str, str | PathLike[str]] | None = None,
        stores: Mapping[str, Store] | None = None,
        settings: StoreSettings | None = None,
    ) -> None:
        """Make a factory.

        `target_roots` are roots by name, by default those of the configuration; a relative path
        is below the working directory of now. `stores` are stores by URI prefix, a scheme alone
        standing for all of its URIs; they come before those that `register_store` knows.
        `settings` are for the stores that the factory makes, by default those of the
        configuration.

        Raises `ConfigError` if a root is no place.
        """
        self._config = _with_roots(target_roots) if target_roots is not None else None
        self._settings = settings or _configured()
        self._local = LocalStore(write_once=self._settings.write_once, fsync=self._settings.fsync)
        self._stores = {as_prefix(prefix): store for prefix, store in (stores or {}).items()}
        self._prefixes: list[str] = []
        self._registered = 0
        self._bases: dict[str, str] = {}

    @property
    def target_roots(self) -> Mapping[str, str] | None:
        """The roots that the factory was given; None if it asks the configuration."""
        return self._config.target_roots if self._config is not None else None

    def get_target(
        self,
        relpath: str | PathLike[str],
        target_root_key: str = "default",
        serializer: Serializer[T] | None = None,
    ) -> FileSystemTarget[T]:
        """Return the target at `relpath` below a root.

        A full path or a URI is used as it is. Raises `ConfigError` if there is no such root,
        or no store for its scheme, and `ValueError` if `relpath` leads out of the root or to no
        object.
        """
        path = relpath if isinstance(relpath, str) else fspath(relpath)
        if not path or path[-1] == "/":
            raise _no_path(path)
        store, path = self._place(path, target_root_key)
        if isinstance(store, LocalStore):
            return LocalTarget(path, serializer, store)
        return FileSystemTarget(store, path, serializer)

    def get_directory_target(
        self, relpath: str | PathLike[str], target_root_key: str = "default"
    ) -> DirectoryTarget:
        """Return the target of all that is below `relpath`, itself below a root.

        A full path or a URI is used as it is. Raises what `get_target` raises.
        """
        return DirectoryTarget(*self._place(fspath(relpath), target_root_key))

    def _place(self, relpath: str, key: str) -> tuple[Store, str]:
        if relpath.startswith("/") or "://" in relpath:
            full = relpath
        else:
            # a look at the whole first: there is hardly ever a name that begins with a dot
            if (relpath[:1] == "." or "/." in relpath) and {".", ".."} & {*relpath.split("/")}:
                raise _no_path(relpath)
            full = self._base(key) + relpath
        scheme, separator, path = full.partition("://")
        if not separator:
            return self._local, full
        if scheme == "file":
            return self._local, path.removeprefix("localhost")
        return self._store(full), path

    def _store(self, uri: str) -> Store:
        if self._registered != registered_count():
            self._registered = registered_count()
            self._prefixes = longest_first(self._stores)
        for prefix in self._prefixes:
            if uri.startswith(prefix):
                if prefix not in self._stores:
                    # in one step: of threads that ask at once, all get the same store
                    self._stores.setdefault(prefix, open_store(prefix, self._settings))
                return self._stores[prefix]
        known = ", ".join(sorted(self._prefixes))
        raise ConfigError(
            f"there is no store for {uri} (known: local paths, file://, {known}); "
            "stardag.target.register_store adds one"
        )

    def _base(self, key: str) -> str:
        base = self._bases.get(key)
        if base is None:
            from stardag.config import get_config

            root = (self._config or get_config()).target_root(key)
            base = self._bases[key] = root if root.endswith("://") else f"{root.rstrip('/')}/"
        return base


def _with_roots(roots: Mapping[str, str | PathLike[str]]) -> Config:
    from stardag.config import read_config

    texts = {
        key: fspath(root) if isinstance(root, PathLike) else root for key, root in roots.items()
    }
    return read_config({"target_roots": texts}, "TargetFactory", Path.cwd())


def _no_path(relpath: str) -> ValueError:
    return ValueError(
        f"{relpath!r} can't be the path of a target: it must lead to an object below its target "
        "root, without parts that are '.' or '..'"
    )


def _configured() -> StoreSettings:
    from stardag.config import get_config

    targets = get_config().targets
    return StoreSettings(
        write_once=targets.write_once,
        fsync=targets.fsync,
        cache_dir=targets.cache_dir,
        cache_max_bytes=targets.cache_max_bytes,
    )


target_factory_provider: Provider[TargetFactory] = Provider(TargetFactory)
"""The factory behind `get_target` and every task's output; override it in tests."""


def get_target(
    relpath: str | PathLike[str],
    target_root_key: str = "default",
    serializer: Serializer[Any] | None = None,
) -> FileSystemTarget[Any]:
    """Return the target at `relpath` below a named root; see `TargetFactory.get_target`."""
    return target_factory_provider.get().get_target(relpath, target_root_key, serializer)


def get_directory_target(
    relpath: str | PathLike[str], target_root_key: str = "default"
) -> DirectoryTarget:
    """Return the directory at `relpath` below a named root."""
    return target_factory_provider.get().get_directory_target(relpath, target_root_key)
