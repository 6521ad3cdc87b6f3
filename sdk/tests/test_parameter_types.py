"""Every type of parameter keeps the promises of identity and of JSON, whatever the value."""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
import types
from base64 import b64encode
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NewType, Self
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import (
    AwareDatetime,
    Base64Bytes,
    BaseModel,
    ByteSize,
    Field,
    Json,
    PlainSerializer,
    RootModel,
    field_validator,
)
from typing_extensions import TypeAliasType, TypedDict

import stardag as sd
from stardag._identity import canonical_json

sd.auto_namespace(__name__)


class Number(sd.AutoTask[int]):
    n: int = 0


class Sum(sd.AutoTask[int]):
    of: tuple[Number, ...] = ()
    inner: Self | None = None


class Colour(Enum):
    RED = "red"
    TWO = 2


class Level(IntEnum):
    LOW = 1
    HIGH = 2


@dataclass(frozen=True)
class Point:
    x: int
    task: sd.TaskLoads[int] | None = None


class Row(TypedDict):
    a: int
    b: str


class Pair(NamedTuple):
    a: int
    b: str = "b"


class Plain(BaseModel):
    when: date
    tasks: tuple[Number, ...] = ()


class Roots(RootModel[list[int]]):
    pass


class Marked(sd.StardagBaseModel):
    depth: int
    added: Annotated[int, sd.StardagField(compat_default=0)] = 0


class Shape(sd.PolymorphicRoot):
    pass


class Circle(Shape):
    radius: float


class Group(Shape):
    shapes: tuple[sd.SubClass[Shape], ...]


class Trimmed(BaseModel):
    text: str

    @field_validator("text")
    @classmethod
    def _strip(cls, text: str) -> str:
        return text.strip()


UserId = NewType("UserId", int)
Tree = TypeAliasType("Tree", "list[Tree] | int | str")


def as_rounded(value: float) -> str:
    return f"{value:.3f}"


Rounded = Annotated[float, PlainSerializer(as_rounded)]

floats = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(max_size=5)
numbers = st.builds(Number, n=st.integers(0, 9))
sums = st.builds(
    Sum,
    of=st.lists(numbers, max_size=3).map(tuple),
    inner=st.none() | st.builds(Sum, of=st.tuples(numbers)),
)
tasks = numbers | sums
dates = st.dates()
circles = st.builds(Circle, radius=floats)
shapes = circles | st.builds(Group, shapes=st.lists(circles).map(tuple))
trees = st.recursive(st.integers() | texts, lambda inner: st.lists(inner, max_size=3), max_leaves=5)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | floats | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
ints = st.lists(st.integers(), max_size=4)

MATRIX: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "none": (None, st.none()),
    "bool": (bool, st.booleans()),
    "int": (int, st.integers()),
    "float": (float, floats),
    "text": (str, st.text()),
    "bytes": (bytes, st.text().map(str.encode)),
    "binary": (Base64Bytes, st.binary().map(b64encode)),
    "complex": (complex, st.builds(complex, st.integers(-9, 9), st.integers(-9, 9))),
    "decimal": (Decimal, st.decimals(allow_nan=False, allow_infinity=False)),
    "fraction": (Fraction, st.fractions()),
    "datetime": (datetime, st.datetimes()),
    "aware": (AwareDatetime, st.datetimes(timezones=st.just(UTC))),
    "date": (date, dates),
    "time": (time, st.times()),
    "span": (timedelta, st.timedeltas(timedelta(-(10**5)), timedelta(10**5))),
    "zone": (ZoneInfo, st.sampled_from(["Europe/Berlin", "UTC"]).map(ZoneInfo)),
    "uuid": (UUID, st.uuids()),
    "path": (Path, st.lists(st.sampled_from(["a", "b", ".."]), max_size=3).map(lambda p: Path(*p))),
    "address": (IPv4Address, st.ip_addresses(v=4)),
    "enum": (Colour, st.sampled_from(Colour)),
    "int enum": (Level, st.sampled_from(Level)),
    "literal": (Literal["a", 1, None], st.sampled_from(["a", 1, None])),
    "size": (ByteSize, st.integers(0, 10**6)),
    "new type": (UserId, st.integers()),
    "constrained": (Annotated[int, Field(gt=0, le=9)], st.integers(1, 9)),
    "serialized": (Rounded, st.floats(-9, 9)),
    "any": (Any, anything),
    "json": (Json[list[int]], ints.map(json.dumps)),
    "list": (list[int], ints),
    "bare list": (list, ints),
    "tuple": (tuple[int, ...], ints.map(tuple)),
    "fixed tuple": (tuple[int, str], st.tuples(st.integers(), texts)),
    "sequence": (Sequence[int], ints | ints.map(tuple)),
    "deque": (deque[int], ints.map(deque)),
    "dict": (dict[str, int], st.dictionaries(texts, st.integers(), max_size=4)),
    "dict by int": (dict[int, str], st.dictionaries(st.integers(), texts, max_size=4)),
    "dict by date": (dict[date, int], st.dictionaries(dates, st.integers(), max_size=4)),
    "mapping": (Mapping[str, int], st.dictionaries(texts, st.integers(), max_size=4)),
    "ordered dict": (OrderedDict[str, int], st.dictionaries(texts, st.integers()).map(OrderedDict)),
    "defaultdict": (
        defaultdict[str, list[int]],
        st.dictionaries(texts, ints).map(lambda d: defaultdict(list, d)),
    ),
    "counter": (Counter[str], st.lists(texts, max_size=4).map(Counter)),
    "set": (sd.HashableSet[int], st.frozensets(st.integers())),
    "set of texts": (sd.HashableSet[str], st.frozensets(texts)),
    "set of pairs": (
        sd.HashableSet[tuple[int, str]],
        st.frozensets(st.tuples(st.integers(), texts)),
    ),
    "set of enums": (sd.HashableSet[Colour], st.frozensets(st.sampled_from(Colour))),
    "mixed set": (sd.HashableSet[int | str], st.frozensets(st.integers() | texts)),
    "set of sets": (
        sd.HashableSet[sd.HashableSet[str]],
        st.frozensets(st.frozensets(texts, max_size=3), max_size=4),
    ),
    "optional": (int | None, st.none() | st.integers()),
    "union": (int | str | list[int], st.integers() | texts | ints),
    "alias": (Tree, trees),
    "dataclass": (Point, st.builds(Point, x=st.integers(), task=st.none() | tasks)),
    "typed dict": (Row, st.fixed_dictionaries({"a": st.integers(), "b": texts})),
    "named tuple": (Pair, st.builds(Pair, a=st.integers(), b=texts)),
    "model": (
        Plain,
        st.builds(Plain, when=dates, tasks=st.lists(numbers, max_size=2).map(tuple)),
    ),
    "validated model": (Trimmed, st.builds(Trimmed, text=texts)),
    "root model": (Roots, ints.map(Roots)),
    "marked model": (Marked, st.builds(Marked, depth=st.integers(), added=st.integers())),
    "family": (sd.SubClass[Shape], shapes),
    "task": (Number, numbers),
    "base task": (sd.BaseTask, tasks),
    "loads": (sd.TaskLoads[int], tasks),
    "loads or value": (sd.TaskLoads[int] | int, tasks | st.integers()),
    "optional loads": (sd.TaskLoads[int] | None, st.none() | tasks),
    "described loads": (Annotated[sd.TaskLoads[int], Field(description="an input")], tasks),
    "list of loads": (list[sd.TaskLoads[int]], st.lists(tasks, max_size=3)),
    "optional tuple of loads": (
        tuple[sd.TaskLoads[int], ...] | None,
        st.none() | st.lists(tasks, max_size=3).map(tuple),
    ),
    "dict of loads or values": (
        dict[str, list[sd.TaskLoads[int] | int]],
        st.dictionaries(texts, st.lists(tasks | st.integers(), max_size=2), max_size=2),
    ),
    "list or task": (
        list[sd.TaskLoads[int]] | sd.TaskLoads[int],
        st.lists(tasks, max_size=2) | tasks,
    ),
    "set of tasks": (sd.TaskSet[Number], st.frozensets(numbers, max_size=4)),
    "set of loads or values": (
        sd.HashableSet[sd.TaskLoads[int] | int],
        st.frozensets(tasks | st.integers(), max_size=4),
    ),
}


def declare(name: str, annotation: Any) -> type[sd.AutoTask[int]]:
    """Return a task type with one parameter, `value`."""
    class_name = "".join(map(str.title, name.split())) + "Parameter"
    body = {"__annotations__": {"value": annotation}, "__module__": __name__}
    cls = types.new_class(class_name, (sd.AutoTask[int],), {}, lambda own: own.update(body))
    globals()[class_name] = cls  # where pickle looks for it
    return cls


TYPES = {name: declare(name, annotation) for name, (annotation, _) in MATRIX.items()}


@pytest.mark.parametrize("name", MATRIX)
@given(data=st.data())
def test_the_id_does_not_depend_on_how_the_task_was_made(name: str, data: st.DataObject) -> None:
    task = TYPES[name].model_validate({"value": data.draw(MATRIX[name][1])})
    text = task.model_dump_json(round_trip=True)
    for again in (
        sd.BaseTask.model_validate_json(text),
        sd.BaseTask.model_validate(task.model_dump(mode="json", round_trip=True)),
        *sd.dag_from_json(sd.dag_to_json(task)),
        task.model_copy(),
        copy.deepcopy(task),
        pickle.loads(pickle.dumps(task)),
    ):
        assert type(again) is type(task)
        assert again.identity_json() == task.identity_json()
        assert again.id == task.id
        assert again.model_dump_json(round_trip=True) == text


@pytest.mark.parametrize("name", MATRIX)
@given(data=st.data())
def test_the_id_tells_values_apart_as_json_does(name: str, data: st.DataObject) -> None:
    first, second = (
        TYPES[name].model_validate({"value": data.draw(MATRIX[name][1])}) for _ in range(2)
    )
    texts = [canonical_json(task.model_dump(mode="json")) for task in (first, second)]
    assert (first.id == second.id) == (texts[0] == texts[1])


@pytest.mark.parametrize("name", MATRIX)
@given(data=st.data())
def test_what_is_written_fits_the_schema_of_its_type(name: str, data: st.DataObject) -> None:
    task = TYPES[name].model_validate({"value": data.draw(MATRIX[name][1])})
    schema = type(task).model_json_schema(mode="serialization")
    Draft202012Validator(schema).validate(json.loads(task.model_dump_json()))


IN_ANOTHER_PROCESS = f"""
import json, sys
import stardag as sd
import {__name__}
print(json.dumps([task.identity_json() for task in sd.dag_from_json(sys.stdin.read())]))
"""


@settings(max_examples=2)
@given(data=st.data())
def test_the_id_does_not_depend_on_the_process(data: st.DataObject) -> None:
    drawn = [(name, data.draw(values)) for name, (_, values) in MATRIX.items() for _ in range(5)]
    made = [TYPES[name].model_validate({"value": value}) for name, value in drawn]
    expected = [task.identity_json() for task in made]
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", IN_ANOTHER_PROCESS],
            input=sd.dag_to_json(made),
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
            env=os.environ | {"PYTHONHASHSEED": seed},
        )
        assert json.loads(done.stdout) == expected
