"""A PostgreSQL for all of the chaos, and disks that are small."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from own_postgres import OwnPostgres

from .disk import SmallDisk


@pytest.fixture(scope="session")
def database_disk() -> Iterator[SmallDisk | None]:
    """A small disk for PostgreSQL; None where a user may not mount one."""
    # not below the folders of pytest, which keep out the user that PostgreSQL runs as
    with tempfile.TemporaryDirectory(prefix="stardag-chaos-") as folder:
        Path(folder).chmod(0o755)
        yield from _mounted(Path(folder) / "postgres", "512m")


@pytest.fixture(scope="session")
def postgres(database_disk: SmallDisk | None) -> Iterator[OwnPostgres]:
    """A real PostgreSQL that may be crashed, if it is started again."""
    postgres = OwnPostgres(database_disk and database_disk.path)
    yield postgres
    postgres.end()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk | None]:
    """A small disk for the spools of a stage in `tmp_path`; None where a user may not mount one."""
    yield from _mounted(tmp_path / "state", "96m")


def _mounted(path: Path, size: str) -> Iterator[SmallDisk | None]:
    try:
        disk = SmallDisk(path, size)
    except PermissionError:
        yield None
        return
    yield disk
    disk.unmount()
