"""Settings of targets, from the environment to what they do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import stardag as sd
from stardag.config import get_config
from stardag.target.serialize import BytesSerializer, PickleSerializer, get_serializer


class Opaque:
    pass


def configure(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"STARDAG_{name}", value)
    get_config.cache_clear()


def test_objects_are_written_once_by_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, TARGET_WRITE_ONCE="true")
    target = sd.get_target("object", serializer=BytesSerializer())
    target.save(b"first")
    target.save(b"second")
    assert target.load() == b"first"


def test_remote_objects_are_cached_by_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    bucket = request.getfixturevalue("s3").bucket
    configure(monkeypatch, TARGET_CACHE_DIR="cache", TARGET_CACHE_MAX_BYTES="1000")
    target = sd.get_target(f"s3://{bucket}/object", serializer=BytesSerializer())
    target.save(b"content")
    assert target.load() == b"content"
    assert [entry.read_bytes() for entry in (tmp_path / "cache").iterdir()] == [b"content"]


def test_what_nothing_fits_is_pickled_by_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, PICKLE_AS_LAST_RESORT="true")
    assert isinstance(get_serializer(Opaque), PickleSerializer)

    class Task(sd.AutoTask[Opaque]):
        def run(self) -> None:
            self.output().save(Opaque())

    sd.build(Task()).raise_for_status()
    loaded: Any = Task().load()
    assert isinstance(loaded, Opaque)
    assert Task().output().uri.endswith(".pkl")
