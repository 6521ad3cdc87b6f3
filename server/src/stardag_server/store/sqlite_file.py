"""The file of a SQLite database: found, and copied while it is written to."""

import contextlib
import os
import sqlite3
from pathlib import Path

import sqlalchemy as sa


def database_file(url: sa.URL) -> Path:
    """Return the file of a database that is there. Raises FileNotFoundError."""
    path = Path(str(url.database))
    if not path.is_file():
        raise FileNotFoundError(f"there is no database {path}: check --data-dir and --database-url")
    return path


def copy_database(source: Path, target: Path) -> None:
    """Copy a database as of one moment, whoever writes to it meanwhile; replace the target.

    The target is there when it is whole and on disk. Raises ValueError if it is the
    database itself, OSError, and sqlite3.Error.
    """
    if target.exists() and target.samefile(source):
        raise ValueError(f"{target} is the database itself: give another file to copy it to")
    partial = target.with_name(f"{target.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        address = f"{source.absolute().as_uri()}?mode=ro"
        with (
            contextlib.closing(sqlite3.connect(address, uri=True)) as reader,
            contextlib.closing(sqlite3.connect(partial)) as writer,
        ):
            # In one step: in several, each write by another process would begin it anew.
            reader.backup(writer, pages=-1)
            # One file, without a log beside it.
            writer.execute("PRAGMA journal_mode = DELETE")
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
