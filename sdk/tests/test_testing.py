"""What `stardag.testing` gives to tests of pipelines."""

from __future__ import annotations

import pytest

import stardag as sd
from stardag.target.stores.memory import MemoryStore
from stardag.testing import BuildRecord, assert_stable_id

sd.auto_namespace(__name__)


@sd.task(namespace="")
def stable_number(n: int) -> int:
    return n


def test_targets_are_in_memory(in_memory_targets: MemoryStore) -> None:
    task = stable_number(n=1)
    sd.build_sequential(task).raise_for_status()
    assert task.output().uri.startswith("memory://default/stable_number/")
    assert in_memory_targets.exists(task.output().path)


@pytest.mark.usefixtures("in_memory_targets")
def test_builds_are_recorded(build_record: BuildRecord) -> None:
    sd.build_sequential(stable_number(n=1))
    assert [name for name, *_ in build_record.events] == [
        "build_started",
        "pending",
        "started",
        "completed",
        "build_ended",
    ]
    assert build_record.ended == "completed"


def test_an_id_that_changed_is_told_with_its_ingredients() -> None:
    task = stable_number(n=1)
    assert_stable_id(task, str(task.id))
    with pytest.raises(AssertionError, match=r'"n":1'):
        assert_stable_id(task, "229ff6d8-0b93-5aed-a524-bf1ab2a0f84f")
