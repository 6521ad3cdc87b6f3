"""References to tasks, for people to read."""

from __future__ import annotations

import stardag as sd


class Cited(sd.AutoTask[int]):
    n: int = 0


def test_a_reference_has_the_tasks_name_version_and_id() -> None:
    task = Cited(version="2")
    assert sd.TaskRef.from_task(task) == sd.TaskRef(name="Cited", version="2", id=task.id)


def test_its_slug_has_the_version_if_there_is_one() -> None:
    plain, versioned = Cited(), Cited(version="2")
    assert sd.TaskRef.from_task(plain).slug == f"Cited--{str(plain.id)[:8]}"
    assert sd.TaskRef.from_task(versioned).slug == f"Cited-v2-{str(versioned.id)[:8]}"
