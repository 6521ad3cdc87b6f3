"""A function's parameters are its task's fields, whether they are given as values or as tasks."""

# No `from __future__ import annotations`: the older releases read annotations as they are.

from typing import Annotated, Any, Dict, List, Literal, Optional, Tuple, Union

from programs.dialect import Cases, insignificant
from pydantic import BaseModel, Field

import stardag as sd

sd.namespace("functions", __name__)


class Settings(BaseModel):
    rate: float = 1


@sd.task
def numbers(limit: int) -> list[int]:
    return list(range(limit))


@sd.task()
def one() -> int:
    return 1


@sd.task
def add(a: int, b: int = 2) -> int:
    return a + b


@sd.task
def total(values: sd.Depends[list[int]]) -> int:
    return sum(values)


@sd.task
def scaled(values: sd.Depends[list[int]], factor: float = 1, *, note: str = "") -> float:
    return sum(values) * factor


@sd.task
def optional(value: Optional[sd.Depends[int]] = None) -> int:
    return value or 0


@sd.task
def optional_plain(value: int | None = None) -> int:
    return value or 0


@sd.task
def plain_list(values: list[int]) -> int:
    return sum(values)


@sd.task
def plain_float(value: float) -> float:
    return value


@sd.task
def model(settings: Settings, mode: Literal["a", "b"] = "a") -> int:
    return 0


@sd.task
def anything(value: Any) -> int:
    return 0


@sd.task(name="Range", version="2")
def renamed(limit: int) -> list[int]:
    return list(range(limit))


@sd.task
def typing_names(values: List[int], by_name: Dict[str, float], pair: Tuple[int, str]) -> int:
    return 0


@sd.task
def constrained(share: Annotated[float, Field(ge=0)] = 1) -> float:
    return share


@sd.task
def marked(a: int, note: Annotated[str, insignificant()] = "") -> int:
    return a


@sd.task
def either(value: Union[int, str]) -> int:
    return 0


@sd.task
def loads(value: sd.TaskLoads[int]) -> int:
    return value.load()


@sd.task
def many_loads(values: tuple[sd.TaskLoads[int], ...]) -> int:
    return 0


CASES: Cases = {
    "a value": lambda: numbers(limit=5),
    "no parameter": lambda: one(),
    "a default": lambda: add(a=1),
    "a default given": lambda: add(a=1, b=2),
    "a task for a plain parameter": lambda: add(a=one(), b=3),
    "a dependency": lambda: total(values=numbers(limit=5)),
    "a dependency beside values": lambda: scaled(values=numbers(limit=5), factor=2, note="x"),
    "an int default of a float": lambda: scaled(values=numbers(limit=5)),
    "no dependency": lambda: optional(),
    "a dependency where none may be": lambda: optional(value=one()),
    "no value": lambda: optional_plain(),
    "a task where none may be": lambda: optional_plain(value=one()),
    "a list of values": lambda: plain_list(values=[1, 2]),
    "a task for a list of values": lambda: plain_list(values=numbers(limit=2)),
    "an int for a float": lambda: plain_float(value=1),
    "a task for a float": lambda: plain_float(value=plain_float(value=1)),
    "a model": lambda: model(settings=Settings(rate=2)),
    "a model given as a dict": lambda: model(settings={"rate": 2}, mode="b"),
    "an untyped value": lambda: anything(value=[1, "x"]),
    "an untyped task": lambda: anything(value=one()),
    "another name and a version": lambda: renamed(limit=5),
    "the older names of types": lambda: typing_names(values=[1], by_name={"a": 1}, pair=(1, "x")),
    "a constrained value": lambda: constrained(share=0.5),
    "a constrained default": lambda: constrained(),
    "a note": lambda: marked(a=1, note="x"),
    "one of two types": lambda: either(value="1"),
    "a task to be loaded by the function": lambda: loads(value=one()),
    "tasks to be loaded by the function": lambda: many_loads(values=(one(), add(a=1))),
}
