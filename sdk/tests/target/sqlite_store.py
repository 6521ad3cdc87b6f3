"""A store as a user would write one: no more than it must have."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

from stardag.target import Store


class SqliteStore(Store):
    """Objects in a table."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._execute("CREATE TABLE object (path TEXT PRIMARY KEY, content BLOB NOT NULL)")

    def uri(self, path: str) -> str:
        return f"table://{path}"

    def exists(self, path: str) -> bool:
        return bool(self._execute("SELECT 1 FROM object WHERE path = ?", path))

    @contextmanager
    def reader(self, path: str) -> Generator[IO[bytes]]:
        found = self._execute("SELECT content FROM object WHERE path = ?", path)
        if not found:
            raise FileNotFoundError(path)
        yield io.BytesIO(found[0][0])

    @contextmanager
    def writer(self, path: str) -> Generator[IO[bytes]]:
        with io.BytesIO() as content:
            yield content
            self._execute("REPLACE INTO object VALUES (?, ?)", path, content.getvalue())

    def delete(self, path: str) -> None:
        self._execute("DELETE FROM object WHERE path = ?", path)

    def _execute(self, statement: str, *values: str | bytes) -> list[tuple[bytes]]:
        with closing(sqlite3.connect(self._path, timeout=60)) as connection, connection:
            return connection.execute(statement, values).fetchall()
