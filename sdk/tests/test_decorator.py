"""`@task`: functions as task types."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import pandas as pd
import pytest
from pydantic import Field, ValidationError

import stardag as sd

if TYPE_CHECKING:
    from pathlib import Path


@sd.task
def number(n: int) -> int:
    """Return a number."""
    return n


@sd.task
def add(a: sd.Depends[int], b: int = 1) -> int:
    return a + b


@sd.task
def total(parts: list[sd.Depends[int]], named: dict[str, sd.Depends[int]]) -> int:
    return sum(parts) + sum(named.values())


@sd.task
def ids(tasks: list[sd.TaskLoads[int]]) -> list[str]:
    return [str(task.id) for task in tasks]


def test_parameters_become_fields() -> None:
    task = number(n=3)
    assert task.model_dump() == {
        "__namespace": "",
        "__name": "number",
        "version": "",
        "n": 3,
    }
    assert number.__doc__ == "Return a number."


def test_depends_hands_over_what_the_task_made() -> None:
    task = add(a=number(n=2), b=5)
    sd.build_sequential(task).raise_for_status()
    assert task.load() == task.result() == 7


def test_a_plain_parameter_takes_a_value_or_a_task() -> None:
    task = add(a=number(n=2), b=number(n=10))
    sd.build_sequential(task).raise_for_status()
    assert task.load() == 12
    assert task.requires() == {"a": number(n=2), "b": number(n=10)}


def test_requirements_are_the_tasks_by_parameter() -> None:
    one, two = number(n=1), number(n=2)
    assert total(parts=[one, two], named={"x": one}).requires() == {
        "parts": [one, two],
        "named": [one],
    }
    assert number(n=1).requires() is None


def test_depends_may_be_nested() -> None:
    task = total(parts=[number(n=1), number(n=2)], named={"x": number(n=3)})
    sd.build_sequential(task).raise_for_status()
    assert task.load() == 6


def test_a_parameter_declared_as_task_is_handed_over_as_task() -> None:
    task = ids(tasks=[number(n=1)])
    sd.build_sequential(task).raise_for_status()
    assert task.load() == [str(number(n=1).id)]


def test_call_is_the_plain_function() -> None:
    assert add.call(2, b=3) == 5


def test_depends_refuses_values_and_tasks_of_other_types() -> None:
    @sd.task
    def text() -> str:
        return ""

    with pytest.raises(ValidationError, match=r"loads as int is needed, and .*text loads as str"):
        add(a=text())
    with pytest.raises(ValidationError, match="a"):
        add(a=3)


def test_options_name_the_type_and_place_the_output(isolated: Path) -> None:
    @sd.task(
        name="Range",
        version="2",
        namespace="a.b",
        relpath={"base": "top", "extra": lambda task: f"limit={task.limit}", "filename": "f"},
    )
    def make_range(limit: int) -> list[int]:
        return list(range(limit))

    task = make_range(limit=3)
    key = str(task.id)
    assert (task.get_namespace(), task.get_name(), task.version) == ("a.b", "Range", "2")
    assert task.output().uri == (
        f"{isolated}/targets/top/a/b/Range/v2/limit=3/{key[:2]}/{key[2:4]}/{key}/f.json"
    )


def test_the_whole_path_can_be_given(isolated: Path) -> None:
    @sd.task(relpath=lambda task: f"reports/{task.day}.txt")
    def report(day: str) -> str:
        return day

    assert report(day="monday").output().uri == f"{isolated}/targets/reports/monday.txt"


def test_an_unknown_part_of_the_path_is_an_error() -> None:
    with pytest.raises(sd.TaskDefinitionError, match="unknown parts"):
        sd.task(relpath={"folder": "x"})(lambda: None)


def test_a_missing_annotation_is_an_error_naming_the_parameter() -> None:
    def unannotated(a, b: int) -> int:  # pyright: ignore
        return b

    with pytest.raises(sd.TaskDefinitionError, match="annotate the parameter 'a'"):
        sd.task(unannotated)  # pyright: ignore


def test_a_missing_return_annotation_is_an_error() -> None:
    def unannotated(a: int):  # pyright: ignore
        return a

    with pytest.raises(sd.TaskDefinitionError, match="annotate what it returns"):
        sd.task(unannotated)


@pytest.mark.parametrize("name", ["version", "run", "id", "_hidden", "output"])
def test_a_parameter_with_a_name_of_the_tasks_own_is_an_error(name: str) -> None:
    scope: dict[str, Any] = {}
    exec(f"def f({name}: int) -> int: return 1", scope)
    with pytest.raises(sd.TaskDefinitionError, match=f"'{name}' has a name"):
        sd.task(scope["f"])


def test_variadic_parameters_are_an_error() -> None:
    def variadic(*values: int) -> int:
        return 1

    with pytest.raises(sd.TaskDefinitionError, match="can't be a field"):
        sd.task(variadic)


def test_an_output_type_without_serializer_is_an_error_that_says_what_to_do() -> None:
    class Opaque:
        pass

    def opaque() -> Opaque:
        return Opaque()

    with pytest.raises(sd.SerializerError, match=r"no serializer fits the output type .*Opaque"):
        sd.task(opaque)


def test_local_types_may_be_annotations() -> None:
    class Point(sd.StardagBaseModel):
        x: int

    @sd.task
    def make(point: Point) -> Point:
        return point

    task = make(point=Point(x=3))
    sd.build_sequential(task).raise_for_status()
    assert task.load() == Point(x=3)


@sd.task
def marked(
    n: int,
    note: Annotated[str, sd.StardagField(hash_exclude=True)] = "",
    weight: Annotated[sd.Depends[int] | None, sd.StardagField(compat_default=None)] = None,
    limit: Annotated[int, Field(gt=0)] = 1,
) -> int:
    return n


def test_fields_can_be_marked_and_constrained() -> None:
    assert marked(n=1, note="x").id == marked(n=1).id
    assert "weight" not in marked(n=1).identity_json()
    assert marked(n=1, weight=number(n=3)).id != marked(n=1).id
    with pytest.raises(ValidationError, match="greater than 0"):
        marked(n=1, limit=0)
    assert marked(n=1, limit=number(n=3)).limit == number(n=3)  # pyright: ignore


def test_a_constrained_list_may_hold_tasks() -> None:
    @sd.task
    def longest(values: Annotated[list[sd.Depends[int]], Field(min_length=1)]) -> int:
        return len(values)

    with pytest.raises(ValidationError, match="at least 1 item"):
        longest(values=[])
    task = longest(values=[number(n=1)])
    sd.build_sequential(task).raise_for_status()
    assert task.load() == 1


class Point(NamedTuple):
    x: int


@sd.task
def kinds(
    point: Point, counts: dict[str, int], numbers: sd.HashableSet[int], made: sd.HashableSet[Any]
) -> list[str]:
    return [type(value).__name__ for value in (point, counts, numbers)] + [str(point.x)]


def test_values_reach_the_function_as_what_they_are() -> None:
    task = kinds(point=Point(3), counts={"a": 1}, numbers={1}, made=set())
    sd.build_sequential(task).raise_for_status()
    assert task.load() == ["Point", "dict", "HashableSet", "3"]


def test_a_set_of_tasks_is_received_as_a_set() -> None:
    @sd.task
    def add_all(numbers: sd.HashableSet[sd.Depends[int]]) -> int:
        assert isinstance(numbers, frozenset)
        return sum(numbers)

    task = add_all(numbers={number(n=1), number(n=2)})
    sd.build_sequential(task).raise_for_status()
    assert task.load() == 3


class Settings(sd.StardagBaseModel):
    start: sd.TaskLoads[int]


def test_a_task_inside_a_model_is_required() -> None:
    @sd.task
    def begin(settings: Settings) -> int:
        return settings.start.load()

    task = begin(settings=Settings(start=number(n=4)))
    sd.build_sequential(task).raise_for_status()
    assert task.load() == 4


def test_a_misspelt_parameter_is_an_error() -> None:
    with pytest.raises(ValidationError, match=r"m\n.*Extra inputs are not permitted"):
        number(n=1, m=5)


def test_a_task_with_a_member_of_a_family_is_rebuilt_from_its_json() -> None:
    @sd.task
    def draw(shape: sd.SubClass[Shape]) -> int:
        return 1

    task = draw(shape=Circle(radius=2))
    assert sd.BaseTask.model_validate_json(task.model_dump_json()) == task


class Shape(sd.PolymorphicRoot):
    pass


class Circle(Shape):
    radius: int


def make(factor: int) -> Any:
    @sd.task
    def scaled(x: int) -> int:
        return factor * x

    return scaled


def test_two_functions_of_one_factory_can_not_share_an_id() -> None:
    first = make(2)
    with pytest.raises(sd.TypeNameTakenError, match="scaled"):
        make(3)
    assert first(x=1).id


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (partial(int, "3"), "makes a task type of a function"),
        ("name", "options are given by name"),
    ],
)
def test_only_functions_become_task_types(function: Any, problem: str) -> None:
    with pytest.raises(sd.TaskDefinitionError, match=problem):
        sd.task(function)


def test_positional_only_parameters_are_refused() -> None:
    def positional(a: int, /) -> int:
        return a

    with pytest.raises(sd.TaskDefinitionError, match="take each parameter by its name"):
        sd.task(positional)


def test_a_function_may_be_async() -> None:
    @sd.task
    async def doubled(value: sd.Depends[int]) -> int:
        return 2 * value

    task = doubled(value=number(n=2))
    sd.build_sequential(task).raise_for_status()
    assert task.load() == 4


def test_a_function_may_yield_the_tasks_that_it_turns_out_to_need() -> None:
    @sd.task
    def chosen(value: sd.Depends[int]) -> Generator[sd.TaskStruct, None, int]:
        further = number(n=value + 1)
        yield {"any": [further]}
        return further.load()

    task = chosen(value=number(n=2))
    sd.build_sequential(task).raise_for_status()
    assert task.load() == 3


def test_what_a_generator_returns_must_be_annotated() -> None:
    def yields() -> Iterator[sd.TaskStruct]:
        yield number(n=1)

    async def yields_aio() -> AsyncIterator[sd.TaskStruct]:
        yield number(n=1)

    with pytest.raises(sd.TaskDefinitionError, match=r"-> Generator\[TaskStruct, None, T\]"):
        sd.task(yields)
    with pytest.raises(sd.TaskDefinitionError, match="write a class with an `async def run`"):
        sd.task(yields_aio)


def test_a_parameter_that_only_a_task_can_give_says_so() -> None:
    def plain(frame: pd.DataFrame) -> int:
        return len(frame)

    with pytest.raises(
        sd.TaskDefinitionError, match=r"plain: 'frame' can't be .* Depends\[\.\.\.\]"
    ):
        sd.task(plain)
