"""Directory targets: many objects that are complete together."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from stardag._errors import TargetNotFoundError
from stardag.target._file import FileSystemTarget
from stardag.target._store import CONCURRENT_REQUESTS, scratch_path
from stardag.target._stored import StoredTarget
from stardag.target.stores.local import LocalStore

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from contextlib import AbstractContextManager

    from stardag.target._protocols import Serializer
    from stardag.target._store import Store

T = TypeVar("T")

MARK = "_SUCCESS"
"""Name of the object that says that a directory is complete, as Hadoop and Spark name it."""

OLDER_MARK, OLDER_NAMES = "._DONE", "._SUB_KEYS"
"""What the published releases add to a directory's path to say that it is complete, and of what."""


class DirectoryTarget(StoredTarget):
    """Many objects below one path. The target exists once `mark_done` has said so.

    Each object is written atomically; the mark is written last, and lists their names. Of two
    writers at once each object is one of the two's: what they write should be the same.
    """

    __slots__ = ("_names",)

    def __init__(self, store: Store, path: str) -> None:
        """Make the target of the objects below `path` in `store`."""
        path = path.rstrip("/")
        super().__init__(store, path, f"{path}/{MARK}")
        self._names: set[str] = set()

    @property
    def uri(self) -> str:
        """Where the directory is: a path or a URI, with a slash at its end."""
        return f"{super().uri}/"

    def substitutes(self) -> Sequence[str]:
        """Return the mark that a published release leaves."""
        return (self.path + OLDER_MARK,)

    def get_sub_target(
        self, name: str, serializer: Serializer[T] | None = None
    ) -> FileSystemTarget[T]:
        """Return the target called `name` in the directory; a `/` in it makes folders.

        Raises `ValueError` if the name leads out of the directory or is that of the mark.
        """
        parts = name.split("/")
        if name == MARK or any(part in ("", ".", "..") for part in parts):
            raise ValueError(f"{name!r} can't be the name of a target in a directory")
        self._names.add(name)
        return FileSystemTarget(self.store, f"{self.path}/{name}", serializer)

    def __truediv__(self, name: str) -> FileSystemTarget[Any]:
        """Return the target called `name` in the directory, as `get_sub_target` does."""
        return self.get_sub_target(name)

    def mark_done(self) -> None:
        """Say that the directory is complete: from now on, the target exists.

        It has what was written to targets that this object made, in this process.
        """
        names = sorted(self._names)
        there = self.store.exists_many([f"{self.path}/{name}" for name in names])
        written = [name for name, exists in zip(names, there, strict=True) if exists]
        with self.store.writer(self.evidence) as file:
            file.write(json.dumps(written, ensure_ascii=False, indent=0).encode())

    def names(self) -> list[str]:
        """Return the names of the objects in the directory, sorted.

        Raises `TargetNotFoundError` if it is not complete, and `ValueError` if another tool has
        marked it as done, without saying what is in it.
        """
        try:
            return self._written_names()
        except FileNotFoundError:
            raise TargetNotFoundError(
                f"{self.uri} does not exist, or its writer has not marked it as done"
            ) from None

    def proxy_path(self, mode: Literal["r", "w"] = "r") -> AbstractContextManager[Path]:
        """Give the directory a path on the local disk for a `with` block.

        "r": the path has the objects that were marked, and must not be changed; raises what
        `names` raises. "w": the files below the path when the block ends become the objects, and
        the directory is marked as done, unless it ends with an exception; raises
        `NotADirectoryError` if there is no directory at the path any more.
        """
        match mode:
            case "r":
                return self._path_for_reading()
            case "w":
                return self._path_for_writing()
            case _:
                raise ValueError(f"mode must be 'r' or 'w', not {mode!r}")

    def _written_names(self) -> list[str]:
        try:
            with self.store.reader(self.evidence) as file:
                mark = file.read()
        except FileNotFoundError:
            if not self.store.exists(self.path + OLDER_MARK):
                raise
            with self.store.reader(self.path + OLDER_NAMES) as file:
                return sorted(file.read().decode().splitlines())
        names = _names_in(mark)
        if names is None:
            raise ValueError(
                f"{self.store.uri(self.evidence)} does not list the objects of the directory, as "
                "a DirectoryTarget writes it"
            )
        return names

    @contextmanager
    def _path_for_reading(self) -> Generator[Path]:
        from concurrent.futures import ThreadPoolExecutor

        names = self.names()
        fetch = self._link if isinstance(self.store, LocalStore) else self._download
        with scratch_path(self.path) as local, ThreadPoolExecutor(CONCURRENT_REQUESTS) as pool:
            local.mkdir()
            list(pool.map(fetch, names, [local / name for name in names]))
            yield local

    @contextmanager
    def _path_for_writing(self) -> Generator[Path]:
        from concurrent.futures import ThreadPoolExecutor

        with scratch_path(self.path) as local, ThreadPoolExecutor(CONCURRENT_REQUESTS) as pool:
            local.mkdir()
            yield local
            if not local.is_dir():
                raise NotADirectoryError(
                    f"{self.uri}: there is no directory any more at the path given for it"
                )
            files = [path for path in local.rglob("*") if path.is_file()]
            names = [path.relative_to(local).as_posix() for path in files]
            list(pool.map(self._upload, names, files))
            self.mark_done()

    def _link(self, name: str, local: Path) -> None:
        """Link to the file, so that what else may be in the directory stays out of sight."""
        local.parent.mkdir(parents=True, exist_ok=True)
        local.symlink_to(Path((self / name).path).absolute())

    def _download(self, name: str, local: Path) -> None:
        target = self / name  # refuses a name that would lead out of the directory
        local.parent.mkdir(parents=True, exist_ok=True)
        with target.open("rb") as source, local.open("wb") as copy:
            shutil.copyfileobj(source, copy)

    def _upload(self, name: str, local: Path) -> None:
        with local.open("rb") as source, self.get_sub_target(name).open("wb") as copy:
            shutil.copyfileobj(source, copy)


def _names_in(mark: bytes) -> list[str] | None:
    """Return the names that a mark lists, or None if it is no list of names."""
    try:
        listed = json.loads(mark)
    except ValueError:
        return None
    if not isinstance(listed, list):
        return None
    names = cast("list[Any]", listed)
    return names if all(isinstance(name, str) for name in names) else None
