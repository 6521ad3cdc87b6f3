"""Tasks as JSON: one by one, as whole DAGs, and the schema of their types."""

from __future__ import annotations

import json
from typing import Annotated, Any, Generic, Literal, TypeVar

import pytest
from jsonschema import Draft202012Validator
from pydantic import Json, computed_field

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


@pytest.mark.parametrize("text", ["{}", "[]", "3", '{"roots": 3, "tasks": {}}'])
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no `roots` and `tasks`"):
        sd.dag_from_json(text)


def test_a_root_without_a_body_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the roots \['x'\] are not among the tasks"):
        sd.dag_from_json('{"roots": ["x"], "tasks": {}}')


def test_a_reference_without_a_body_is_refused() -> None:
    content = json.loads(sd.dag_to_json(Node(below=(Leaf(),))))
    del content["tasks"][str(Leaf().id)]
    with pytest.raises(ValueError, match=f"the task {Leaf().id} is not here"):
        sd.dag_from_json(json.dumps(content))


class Unidentified(sd.AutoTask[int]):
    hint: Annotated[sd.TaskLoads[int] | None, sd.StardagField(hash_exclude=True)] = None
    added: Annotated[Leaf, sd.StardagField(compat_default=Leaf())] = Leaf()


def test_tasks_that_have_no_part_in_the_id_are_written_as_well() -> None:
    task = Unidentified(hint=Node(below=(Leaf(n=1),)))
    (again,) = sd.dag_from_json(sd.dag_to_json(task))
    assert isinstance(again, Unidentified)
    assert again.hint == task.hint


class Untyped(sd.AutoTask[int]):
    one: Any = None
    some: list[Any] = []  # noqa: RUF012
    named: dict[str, Any] = {}  # noqa: RUF012
    bare: tuple = ()  # type: ignore[type-arg]  # pyright: ignore


@pytest.mark.parametrize(
    "parameters",
    [
        {"one": Leaf(n=1)},
        {"one": {"a": [Node(below=(Leaf(),)), 3]}},
        {"some": [Leaf(n=1), {"__name": "NoTask"}, "text"]},
        {"named": {"a": Leaf(n=1), "b": {"id": "3"}}},
        {"bare": (Untyped(one=Leaf(n=2)),)},
        {"one": {"__name": "Leaf", "__namespace": "of no task", "n": 1}},
    ],
)
def test_a_task_is_read_as_one_where_the_type_says_nothing(parameters: dict[str, Any]) -> None:
    task = Untyped(**parameters)
    again = sd.BaseTask.model_validate_json(task.model_dump_json())
    assert again == task
    assert again.model_dump_json() == task.model_dump_json()


def test_a_dag_that_is_too_deep_to_be_written_in_full_says_what_has_no_limit() -> None:
    task: sd.AutoTask[int] = Leaf()
    for _ in range(220):
        task = Node(below=(task,))
    with pytest.raises(RecursionError, match="dag_to_json and dag_from_json take each task once"):
        Node.model_validate(task.model_dump())
    for _ in range(300):
        task = Node(below=(task,))
    for dump in (task.model_dump, task.model_dump_json):
        with pytest.raises(ValueError, match="dag_to_json and dag_from_json take each task once"):
            dump()


class Computing(sd.AutoTask[int]):
    n: int
    settings: Json[list[int]] | None = None

    @computed_field
    @property
    def double(self) -> int:
        return 2 * self.n


def test_what_is_computed_is_written_and_not_read() -> None:
    task = Computing(n=2)
    assert json.loads(task.model_dump_json())["double"] == 4
    assert sd.BaseTask.model_validate_json(task.model_dump_json(round_trip=True)) == task
    (again,) = sd.dag_from_json(sd.dag_to_json(task))
    assert again == task


def test_json_in_a_parameter_survives_the_round_trip() -> None:
    task = Computing.model_validate({"n": 1, "settings": "[1, 2]"})
    assert sd.dag_from_json(sd.dag_to_json(task)) == [task]
    assert sd.BaseTask.model_validate_json(task.model_dump_json(round_trip=True)) == task


class Strict(sd.AutoTask[int], strict=True):
    pair: tuple[int, ...]


def test_a_strict_type_is_read_from_what_it_wrote() -> None:
    task = Strict(pair=(1, 2))
    assert sd.BaseTask.model_validate_json(task.model_dump_json()) == task
    assert sd.dag_from_json(sd.dag_to_json(task)) == [task]
    with pytest.raises(ValueError, match="valid tuple"):
        Strict(pair=[1, 2])  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("names", [{"__name": 3}, {"__name": "Leaf", "__namespace": ["a"]}])
def test_names_that_are_no_text_are_refused(names: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="'__namespace' and '__name' must be text"):
        sd.BaseTask.model_validate(names)


def test_a_body_under_a_wrong_id_is_refused() -> None:
    text = sd.dag_to_json(Leaf(n=1)).replace('"n": 1', '"n": 2')
    with pytest.raises(ValueError, match="was written as"):
        sd.dag_from_json(text)


class Shape(sd.PolymorphicRoot):
    pass


class Circle(Shape):
    radius: int


class Deeper(Node):
    more: int = 0


@sd.task
def scaled(
    a: sd.Depends[int],
    b: float = 1.0,
    sizes: list[int] | None = None,
    shape: sd.SubClass[Shape] | None = None,
    node: Node | None = None,
    found: sd.HashableSet[int] = sd.HashableSet(),  # noqa: B008
) -> float:
    return a * b


def test_a_type_has_a_json_schema() -> None:
    schema = scaled.model_json_schema()
    names = {"__namespace", "__name"}
    parameters = {"version", "a", "b", "sizes", "shape", "node", "found"}
    assert set(schema["properties"]) == names | parameters
    assert schema["properties"]["__name"]["const"] == "scaled"
    assert schema["required"] == ["a"]
    assert {"type": "number"} in schema["properties"]["b"]["anyOf"]
    assert not schema["additionalProperties"]


@pytest.mark.parametrize("mode", ["validation", "serialization"])
@pytest.mark.parametrize(
    "task",
    [
        Leaf(n=3),
        Node(below=(Leaf(), Node())),
        Deeper(more=2),
        scaled(a=Leaf()),
        scaled(a=Node(), b=Leaf(), shape=Circle(radius=1), node=Deeper(), found={1, 2}),
    ],
)
def test_what_is_written_fits_the_schema(
    task: sd.BaseTask, mode: Literal["validation", "serialization"]
) -> None:
    schema = type(task).model_json_schema(mode=mode)
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(json.loads(task.model_dump_json()))


def test_an_alias_is_read_back_as_what_it_loads() -> None:
    metadata = sd.AliasedMetadata(id=Leaf().id, uri="/old.json")
    alias = sd.AliasTask[int](aliased=metadata)
    again = sd.AliasTask[int].model_validate_json(alias.model_dump_json())
    assert again == alias
    assert type(again) is sd.AliasTask[int]
    (task,) = sd.dag_from_json(sd.dag_to_json(Node(below=(alias,))))
    assert isinstance(task, Node)
    assert type(task.below[0]) is sd.AliasTask[int]


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


class Noted(sd.AutoTask[int]):
    n: int
    note: Annotated[str, sd.StardagField(hash_exclude=True)] = ""


def test_the_body_of_a_task_that_its_identity_says_all_of_is_that_identity() -> None:
    plain = Node(below=(Leaf(n=1),), label="x")
    assert plain.params_json() == plain.identity_json()
    marked = Noted(n=1, note="kept in the body")
    assert json.loads(marked.params_json())["note"] == "kept in the body"
    assert sd.dag_from_json(sd.dag_to_json([plain, marked])) == [plain, marked]
