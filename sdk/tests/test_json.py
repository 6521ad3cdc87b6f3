"""Tasks as JSON: one by one, as whole DAGs, and the schema of their types."""

from __future__ import annotations

import json
from typing import Generic, TypeVar

import pytest

import stardag as sd

sd.auto_namespace(__name__)

T = TypeVar("T")


class Leaf(sd.AutoTask[int]):
    n: int = 0


class Node(sd.AutoTask[int]):
    below: tuple[sd.TaskLoads[int], ...] = ()
    label: str = ""


def ladder(rungs: int) -> sd.AutoTask[int]:
    task: sd.AutoTask[int] = Leaf()
    for _ in range(rungs):
        task = Node(below=(task, task))
    return task


def test_a_dag_is_written_with_each_task_once() -> None:
    text = sd.dag_to_json(ladder(40))
    content = json.loads(text)
    assert len(content["tasks"]) == 41
    assert content["roots"] == [str(ladder(40).id)]


def test_a_dag_comes_back_with_what_it_shares() -> None:
    a, b = Node(below=(ladder(30),), label="a"), Node(below=(ladder(30),), label="b")
    again = sd.dag_from_json(sd.dag_to_json({"x": [a], "y": b}))
    assert again == [a, b]
    first, second = (task for task in again if isinstance(task, Node))
    assert first.below[0] is second.below[0]


def test_a_deep_dag_is_no_obstacle() -> None:
    task: sd.AutoTask[int] = Leaf()
    for _ in range(5000):
        task = Node(below=(task,))
    assert sd.dag_from_json(sd.dag_to_json(task)) == [task]


@pytest.mark.parametrize("text", ["{}", "[]", "3"])
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no `roots` and `tasks`"):
        sd.dag_from_json(text)


def test_a_body_under_a_wrong_id_is_refused() -> None:
    text = sd.dag_to_json(Leaf(n=1)).replace('"n": 1', '"n": 2')
    with pytest.raises(ValueError, match="was written as"):
        sd.dag_from_json(text)


@sd.task
def scaled(a: sd.Depends[int], b: float = 1.0, shape: list[int] | None = None) -> float:
    return a * b


def test_a_type_has_a_json_schema() -> None:
    schema = scaled.model_json_schema()
    assert set(schema["properties"]) == {"version", "a", "b", "shape"}
    assert schema["required"] == ["a"]
    assert {"type": "number"} in schema["properties"]["b"]["oneOf"]
    assert Node.model_json_schema()["properties"]["label"]["type"] == "string"


class Generic1(sd.AutoTask[T], Generic[T]):
    value: T


class OfInt(Generic1[int]):
    pass


def test_a_generic_type_is_used_by_a_class_with_a_name() -> None:
    task = OfInt(value=3)
    assert sd.BaseTask.model_validate_json(task.model_dump_json()) == task
    assert task.output().uri.endswith(".json")
    with pytest.raises(sd.TaskDefinitionError, match=r"class .*\(Generic1\[int\]\)"):
        _ = Generic1[int](value=3).id
