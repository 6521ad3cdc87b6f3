"""A member of a polymorphic family carries its namespace and name with its fields."""

from __future__ import annotations

from typing import Annotated, Any, Optional

from programs.dialect import Cases, Made, insignificant
from pydantic import computed_field

import stardag as sd
from stardag.polymorphic import PolymorphicRoot

sd.namespace("families", __name__)


class Shape(PolymorphicRoot):
    pass


class Square(Shape):
    side: int = 1


class Circle(Shape):
    radius: float = 1
    note: Annotated[str, insignificant()] = ""


class Renamed(Shape, name_override="Other", namespace_override="of.shapes"):
    a: int = 1


class Spaced(Shape):
    __namespace__ = "spaced"
    a: int = 1


class Group(Shape):
    members: list[sd.SubClass[Shape]] = []


class Leaf(Made[int]):
    n: int = 0


class OfTask(Shape):
    task: sd.TaskLoads[int]


class Sized(Shape):
    side: int = 1

    @computed_field
    @property
    def area(self) -> int:
        return self.side**2


class Added(Shape):
    inner: sd.SubClass[Shape] = Square()
    added: Annotated[int, sd.StardagField(compat_default=1)] = 1


class OrNumber(Made[int]):
    shape: sd.SubClass[Shape] | int | None


class Drawing(Made[int]):
    shape: sd.SubClass[Shape]


class Drawings(Made[int]):
    shapes: dict[str, sd.SubClass[Shape]]


class Maybe(Made[int]):
    shape: Optional[sd.SubClass[Shape]] = None


class Exact(Made[int]):
    shape: Square


class Anything(Made[int]):
    value: Any


class Holder(sd.StardagBaseModel):
    shape: sd.SubClass[Shape]


class Held(Made[int]):
    holder: Holder


CASES: Cases = {
    "a member": lambda: Drawing(shape=Square(side=2)),
    "another member": lambda: Drawing(shape=Circle(radius=2, note="x")),
    "a member given as a dict": lambda: Drawing(
        shape={"__namespace": "", "__name": "Square", "side": 3}
    ),
    "a member with another name and namespace": lambda: Drawing(shape=Renamed()),
    "a member with a namespace": lambda: Drawing(shape=Spaced()),
    "members in a dict": lambda: Drawings(shapes={"a": Square(), "b": Circle()}),
    "members in a member": lambda: Drawing(shape=Group(members=[Square(), Group()])),
    "a member that holds a task": lambda: Drawing(shape=OfTask(task=Leaf(n=1))),
    "a member that computes a field": lambda: Drawing(shape=Sized(side=2)),
    "a member with a field at its compat default": lambda: Drawing(shape=Added()),
    "a member with a field that left it": lambda: Drawing(shape=Added(added=2)),
    "a member where a number may be": lambda: OrNumber(shape=Added()),
    "a number where a member may be": lambda: OrNumber(shape=1),
    "no member": lambda: Maybe(),
    "a member where none may be": lambda: Maybe(shape=Square()),
    "a member of a declared class": lambda: Exact(shape=Square()),
    "an untyped member": lambda: Anything(value=Square()),
    "a member in a model": lambda: Held(holder=Holder(shape=Square())),
}
