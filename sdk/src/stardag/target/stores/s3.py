"""Objects in S3, or in what speaks its protocol. Needs `stardag[s3]`."""

from __future__ import annotations

import functools
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import repeat
from typing import IO, TYPE_CHECKING

import obstore
from obstore.exceptions import AlreadyExistsError

from stardag.target._store import CONCURRENT_REQUESTS, StoredObject, scratch_path
from stardag.target.stores.listing import PAGE, folder_of, offset_before, present
from stardag.target.stores.remote import MEMORY_LIMIT, RemoteStore
from stardag.target.stores.s3_bucket import connect, use_runtime
from stardag.target.stores.s3_errors import explained

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from pathlib import Path

    from obstore import ObjectMeta
    from obstore.store import S3Store as Bucket

PART = 8 * 2**20
"""Bytes of a part of an upload; larger where 10,000 parts, the most there may be, would not do."""
PARTS_AT_ONCE = 8
"""Parts under way, and in memory, at once."""
FEW = 64
"""Objects that are asked for one by one, at once; a listing pays above."""


class S3Store(RemoteStore):
    """Objects of S3 buckets; a path is `bucket/key`.

    An object is written to the local disk and uploaded when its `with` block ends, in parts
    if it is large: a failed block sends nothing, and a failed upload is aborted. What is wrong
    with the bucket or the credentials raises `ConfigError`; with the network, `OSError`.
    """

    def __init__(
        self, *, write_once: bool = False, bucket: Callable[[str], Bucket] = connect
    ) -> None:
        """Make the store.

        With `write_once`, an object that exists is never replaced: the write of a second
        writer is dropped. (That is a conditional put, which S3 limits to 5 GB.) `bucket` makes
        obstore's client of a bucket; by default, one that the standard AWS variables configure.
        """
        self._write_once = write_once
        self._connect = functools.cache(bucket)
        self._confirmed: set[str] = set()

    def uri(self, path: str) -> str:
        """Return `s3://` and the path."""
        return f"s3://{path}"

    def exists(self, path: str) -> bool:
        """Ask for the object's head."""
        try:
            self._head(path)
        except FileNotFoundError:
            self._confirm_bucket(path)
            return False
        return True

    def exists_many(self, paths: Sequence[str]) -> list[bool]:
        """List keys where the objects asked for are dense, and ask for heads where they aren't."""
        keys_by_bucket: dict[str, set[str]] = {}
        for path in paths:
            bucket, _, key = path.partition("/")
            keys_by_bucket.setdefault(bucket, set()).add(key)
        there: set[str] = set()
        with ThreadPoolExecutor(CONCURRENT_REQUESTS) as pool:
            for bucket, keys in keys_by_bucket.items():
                found = self._present(pool, bucket, sorted(keys))
                there.update(f"{bucket}/{key}" for key in found)
        return [path in there for path in paths]

    def _present(self, pool: ThreadPoolExecutor, bucket: str, keys: list[str]) -> set[str]:
        """Return which of the sorted keys there are."""

        def pages(runs: Sequence[Sequence[str]]) -> Iterable[Sequence[str]]:
            return pool.map(self._page, repeat(bucket), runs)

        def heads(keys: Sequence[str]) -> Iterable[bool]:
            return pool.map(self.exists, (f"{bucket}/{key}" for key in keys))

        # a directory bucket, whose name ends so, doesn't list in order
        if len(keys) <= FEW or bucket.endswith("--x-s3"):
            return {key for key, there in zip(keys, heads(keys), strict=True) if there}
        return present(keys, pages, heads)

    def _page(self, bucket: str, run: Sequence[str]) -> list[str]:
        """Return the page of the bucket's keys that starts shortly before the run's first."""
        listing = obstore.list(
            self._bucket(bucket),
            folder_of(run),
            offset=offset_before(run[0]),
            chunk_size=PAGE,
        )
        with explained(f"s3://{bucket}/{run[0]}"):
            return [entry["path"] for entry in next(iter(listing), ())]

    def list_objects(self, folder: str) -> Iterator[StoredObject]:
        """List the keys that begin with the folder, a page of a thousand at a time."""
        bucket, _, prefix = folder.partition("/")
        with explained(self.uri(folder)):
            listing = obstore.list(self._bucket(bucket), prefix or None, chunk_size=PAGE)
            for page in listing:
                for entry in page:
                    path, modified = f"{bucket}/{entry['path']}", entry["last_modified"]
                    yield StoredObject(path, entry["size"], modified.timestamp())

    def fetch(self, path: str, into: IO[bytes]) -> str:
        """Get the object in one request, so that what arrives is of one version."""
        bucket, key = self._place(path)
        with explained(self.uri(path)):
            got = obstore.get(bucket, key)
            arrived = sum(into.write(chunk) for chunk in got.stream(min_chunk_size=2**20))
            if arrived != got.meta["size"]:
                raise OSError(f"{self.uri(path)}: {arrived} of {got.meta['size']} bytes arrived")
            return _version(got.meta)

    def version(self, path: str) -> str:
        """Ask for the object's head."""
        return _version(self._head(path))

    @contextmanager
    def writer(self, path: str) -> Generator[IO[bytes]]:
        """Open a local file, and upload it at the end."""
        with tempfile.SpooledTemporaryFile(MEMORY_LIMIT) as file:
            yield file
            self._upload(file, path)

    @contextmanager
    def path_for_writing(self, path: str) -> Generator[Path]:
        """Give a temporary path, and upload what is there at the end."""
        with scratch_path(path) as local:
            yield local
            with local.open("rb") as file:
                self._upload(file, path)

    def _upload(self, file: IO[bytes], path: str) -> None:
        bucket, key = self._place(path)
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        # a second writer's object is dropped, as `write_once` promises
        with suppress(AlreadyExistsError), explained(self.uri(path)):
            obstore.put(
                bucket,
                key,
                file,
                mode="create" if self._write_once else "overwrite",
                use_multipart=size > PART and not self._write_once,
                chunk_size=max(PART, -(-size // 10_000)),
                max_concurrency=PARTS_AT_ONCE,
            )

    def delete(self, path: str) -> None:
        """Delete the object, if there is one."""
        bucket, key = self._place(path)
        with suppress(FileNotFoundError), explained(self.uri(path)):
            obstore.delete(bucket, key)

    def _bucket(self, name: str) -> Bucket:
        use_runtime()
        return self._connect(name)

    def _place(self, path: str) -> tuple[Bucket, str]:
        bucket, _, key = path.partition("/")
        if not bucket or not key:
            raise ValueError(f"{self.uri(path)} names no object: write s3://bucket/key")
        return self._bucket(bucket), key

    def _head(self, path: str) -> ObjectMeta:
        bucket, key = self._place(path)
        with explained(self.uri(path)):
            return obstore.head(bucket, key)

    def _confirm_bucket(self, path: str) -> None:
        """Raise `ConfigError` if the bucket of a missing object is missing too; ask S3 once.

        The answer to a request for a head doesn't tell the one from the other.
        """
        name = path.partition("/")[0]
        if name in self._confirmed:
            return
        bucket, key = self._place(path)
        with suppress(FileNotFoundError), explained(self.uri(path)):
            obstore.get(bucket, key)
        self._confirmed.add(name)


def _version(meta: ObjectMeta) -> str:
    return meta["e_tag"] or f"{meta['last_modified'].isoformat()}-{meta['size']}"
