"""A PostgreSQL for all of the chaos, and a disk that is small."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from own_postgres import OwnPostgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[OwnPostgres]:
    """A real PostgreSQL that may be crashed, if it is started again."""
    postgres = OwnPostgres()
    yield postgres
    postgres.end()
