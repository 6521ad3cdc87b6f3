"""A PostgreSQL for all of the chaos, and a disk that is small."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from own_postgres import OwnPostgres

from .disk import SmallDisk


@pytest.fixture(scope="session")
def postgres() -> Iterator[OwnPostgres]:
    """A real PostgreSQL that may be crashed, if it is started again."""
    postgres = OwnPostgres()
    yield postgres
    postgres.end()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk | None]:
    """A small disk for the spools of a stage in `tmp_path`; None where a user may not mount one."""
    try:
        disk = SmallDisk(tmp_path / "state")
    except PermissionError:
        yield None
        return
    yield disk
    disk.unmount()
