"""Every kind of store, and the S3 server behind some, started when the first test needs it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stardag.target import StoreSettings, TargetFactory
from stardag.target.stores.memory import MemoryStore

from .s3_server import S3Server, running
from .sqlite_store import SqliteStore


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    with running() as server:
        yield server


@pytest.fixture
def s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """A server with an empty bucket, and the variables that lead to it."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server.with_new_bucket()


@pytest.fixture(params=["local", "local, synced", "memory", "own", "s3", "s3, cached"])
def factory(request: pytest.FixtureRequest, tmp_path: Path) -> TargetFactory:
    match request.param.split(", "):
        case ["local", *synced]:
            settings = StoreSettings(fsync=bool(synced))
            return TargetFactory({"default": str(tmp_path / "root")}, settings=settings)
        case ["memory"]:
            return TargetFactory({"default": "memory://root"}, {"memory": MemoryStore()})
        case ["own"]:
            own = SqliteStore(tmp_path / "objects.sqlite")
            return TargetFactory({"default": "table://root"}, {"table": own})
        case _:
            s3: S3Server = request.getfixturevalue("s3")
            cache_dir = tmp_path / "cache" if "cached" in request.param else None
            settings = StoreSettings(cache_dir=cache_dir)
            return TargetFactory({"default": f"s3://{s3.bucket}/root"}, settings=settings)
