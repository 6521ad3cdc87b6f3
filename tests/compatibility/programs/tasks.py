"""A task in another's parameters is its id alone, at any depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, NamedTuple, Optional, TypeVar, Union

from programs.dialect import Cases, Made, insignificant
from pydantic import BaseModel

import stardag as sd

sd.namespace("tasks", __name__)


T = TypeVar("T")


class Leaf(Made[int]):
    n: int = 0


class Texts(Made[list[str]]):
    n: int = 0


class One(Made[int]):
    task: sd.TaskLoads[int]


class Concrete(Made[int]):
    task: Leaf


class Basic(Made[int]):
    task: sd.SubClass[sd.BaseTask]


class Optionally(Made[int]):
    task: sd.TaskLoads[int] | None = None


class OldOptionally(Made[int]):
    task: Optional[sd.TaskLoads[int]] = None


class OrValue(Made[int]):
    task: Union[int, sd.TaskLoads[int]]


class OrOther(Made[int]):
    task: sd.TaskLoads[int] | sd.TaskLoads[list[str]]


class Many(Made[int]):
    tasks: list[sd.TaskLoads[int]] = []


class ManyTuple(Made[int]):
    tasks: tuple[sd.TaskLoads[int], ...] = ()


class PairOf(Made[int]):
    tasks: tuple[sd.TaskLoads[int], sd.TaskLoads[list[str]]]


class Named(Made[int]):
    tasks: dict[str, sd.TaskLoads[int]] = {}


class Deep(Made[int]):
    tasks: dict[str, list[tuple[int, Optional[sd.TaskLoads[int]]]]]


class InSequence(Made[int]):
    tasks: Sequence[sd.TaskLoads[int]]


class InMapping(Made[int]):
    tasks: Mapping[str, sd.TaskLoads[int]]


class ByNumber(Made[int]):
    tasks: dict[int, sd.TaskLoads[int]]


class Couple(NamedTuple):
    task: Leaf
    n: int = 1


class InNamedTuple(Made[int]):
    couple: Couple


@dataclass
class Setup:
    task: sd.TaskLoads[int]
    n: int = 1


class InDataclass(Made[int]):
    setup: Setup


class ManyConcrete(Made[int]):
    tasks: tuple[Leaf, ...]


class ManyOrValues(Made[int]):
    tasks: list[Union[int, sd.TaskLoads[int]]]


class AsSet(Made[int]):
    tasks: sd.HashableSet[Leaf] = frozenset()


class AsSetOfAny(Made[int]):
    tasks: sd.HashableSet[sd.TaskLoads[int]] = frozenset()


class Config(BaseModel):
    task: sd.TaskLoads[int]
    other: list[Leaf] = []


class InModel(Made[int]):
    config: Config


class MarkedConfig(sd.StardagBaseModel):
    task: sd.TaskLoads[int]
    note: Annotated[str, insignificant()] = ""


class InMarkedModel(Made[int]):
    config: MarkedConfig


class Excluded(Made[int]):
    task: Annotated[Optional[Leaf], insignificant()] = None


class AddedTask(Made[int]):
    task: Annotated[Leaf, sd.StardagField(compat_default=Leaf(n=1))] = Leaf(n=1)


class Anything(Made[int]):
    value: Any


class Base(Made[T], Generic[T]):
    value: T


class IntOf(Base[int]):
    pass


class FloatOf(Base[float]):
    pass


class Middle(Made[int]):
    a: int = 1


class Derived(Middle):
    b: int = 2


class GenericInput(Made[int], Generic[T]):
    task: sd.TaskLoads[T]


class IntInput(GenericInput[int]):
    pass


def alias(task: Any) -> Any:
    """Return what stands for a task whose class is gone."""
    return sd.AliasTask[int](aliased=sd.AliasedMetadata(id=task.id, uri=f"/elsewhere/{task.id}"))


LEAVES = [Leaf(n=n) for n in range(4)]

CASES: Cases = {
    "a task": lambda: One(task=Leaf(n=1)),
    "a task of a task": lambda: One(task=One(task=Leaf(n=1))),
    "a task with a version": lambda: One(task=Leaf(n=1, version="2")),
    "a task of a declared class": lambda: Concrete(task=Leaf(n=1)),
    "a task of any class": lambda: Basic(task=Texts(n=1)),
    "no task": lambda: Optionally(),
    "a task where none may be": lambda: Optionally(task=Leaf(n=1)),
    "a task where none may be, in the older spelling": lambda: OldOptionally(task=Leaf(n=1)),
    "a value where a task may be": lambda: OrValue(task=3),
    "a task where a value may be": lambda: OrValue(task=Leaf(n=1)),
    "one of two kinds of task": lambda: OrOther(task=Texts(n=1)),
    "a list of tasks": lambda: Many(tasks=LEAVES),
    "an empty list of tasks": lambda: Many(),
    "a tuple of tasks": lambda: ManyTuple(tasks=LEAVES),
    "a pair of tasks": lambda: PairOf(tasks=(Leaf(n=1), Texts(n=1))),
    "a dict of tasks": lambda: Named(tasks={"b": Leaf(n=1), "a": Leaf(n=2)}),
    "a deep nesting of tasks": lambda: Deep(tasks={"k": [(1, Leaf(n=1)), (2, None)]}),
    "a tuple of tasks of a class": lambda: ManyConcrete(tasks=LEAVES),
    "a list of tasks and values": lambda: ManyOrValues(tasks=[1, Leaf(n=1)]),
    "a sequence of tasks": lambda: InSequence(tasks=LEAVES),
    "a mapping of tasks": lambda: InMapping(tasks={"b": Leaf(n=1), "a": Leaf(n=2)}),
    "tasks by number": lambda: ByNumber(tasks={2: Leaf(n=1), 10: Leaf(n=2)}),
    "a task in a named tuple": lambda: InNamedTuple(couple=Couple(Leaf(n=1))),
    "a task in a dataclass": lambda: InDataclass(setup=Setup(Leaf(n=1))),
    "a set of tasks": lambda: AsSet(tasks=LEAVES),
    "the same set in another order": lambda: AsSet(tasks=LEAVES[::-1]),
    "a set of tasks of any class": lambda: AsSetOfAny(tasks=LEAVES),
    "a task in a model": lambda: InModel(config=Config(task=Leaf(n=1), other=LEAVES)),
    "a task in a marked model": lambda: InMarkedModel(
        config=MarkedConfig(task=Leaf(n=1), note="x")
    ),
    "a task without part in the id": lambda: Excluded(task=Leaf(n=1)),
    "a task at its compat default": lambda: AddedTask(),
    "a task that left its compat default": lambda: AddedTask(task=Leaf(n=2)),
    "an alias": lambda: alias(Leaf(n=1)),
    "a task of an alias": lambda: One(task=alias(Leaf(n=1))),
    "an untyped task": lambda: Anything(value=Leaf(n=1)),
    "untyped tasks in a nesting": lambda: Anything(value={"k": [Leaf(n=1)]}),
    "a class from a generic one": lambda: IntOf(value=1),
    "another class from a generic one": lambda: FloatOf(value=1),
    "a generic type itself": lambda: Base[int](value=1),
    "a generic input itself": lambda: GenericInput[int](task=Leaf(n=1)),
    "a derived class": lambda: Derived(),
    "a generic input": lambda: IntInput(task=Leaf(n=1)),
    "a ladder of shared tasks": lambda: ManyTuple(tasks=(One(task=LEAVES[0]), One(task=LEAVES[0]))),
}
