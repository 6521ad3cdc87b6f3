"""What `stardag.testing` gives to tests of pipelines."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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


class Cold(sd.AutoTask[int]):
    @property
    def _target_root_key(self) -> str:
        return "cold"

    def run(self) -> None:
        self.output().save(1)


@pytest.mark.usefixtures("in_memory_targets")
def test_every_root_is_in_memory() -> None:
    sd.build_sequential(Cold()).raise_for_status()
    assert Cold().output().uri.startswith("memory://cold/")


PROJECT = {
    "conftest.py": 'pytest_plugins = ["stardag.testing"]',
    "pipeline.py": """
import stardag as sd

@sd.task
def numbers(limit: int) -> list[int]:
    return list(range(limit))

@sd.task
def total(values: sd.Depends[list[int]]) -> int:
    return sum(values)
""",
    "test_pipeline.py": """
import stardag as sd
from pipeline import numbers, total

def test_it_is_made(in_memory_targets, build_record):
    task = total(values=numbers(limit=4))
    sd.build(task).raise_for_status()
    assert task.load() == 6
    assert build_record.tasks("completed") == [numbers(limit=4), task]
    assert build_record.ended == "completed"

def test_nothing_is_left_of_another_test(in_memory_targets, build_record):
    assert not numbers(limit=4).complete()
    assert build_record.events == []
""",
}


def test_a_new_project_can_use_the_plugin(isolated: Path) -> None:
    for name, content in PROJECT.items():
        (isolated / name).write_text(content)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "."],
        env={**os.environ, "STARDAG_SERVER": "127.0.0.1:1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    assert not (isolated / "targets").exists()
    assert not (isolated / "state").exists()
