"""A parameter's default is checked, and converted, as a value that is given."""

import enum
from datetime import date
from pathlib import Path
from typing import Annotated

from programs.dialect import Cases, Made
from pydantic import BaseModel, Field

import stardag as sd


class Colour(enum.Enum):
    RED = "red"


class Whole(Made[int]):
    value: int = "1"


class Truth(Made[int]):
    value: bool = 1


class Day(Made[int]):
    value: date = "2024-01-01"


class Either(Made[int]):
    value: int | str = "1"


class Coloured(Made[int]):
    value: Colour = "red"


class Pair(Made[int]):
    value: tuple[int, str] = ["1", "a"]


class Folder(Made[int]):
    value: Path = "a/./b"


class Bounded(Made[int]):
    value: Annotated[str, Field(pattern="a")] = "abc"


class Factory(Made[int]):
    value: list[int] = Field(default_factory=lambda: ["1"])


class Missing(Made[int]):
    value: int = None


class PlainModel(BaseModel):
    value: int = "1"


class HoldsPlain(Made[int]):
    model: PlainModel = PlainModel()


class OurModel(sd.StardagBaseModel):
    value: int = "1"


class HoldsOurs(Made[int]):
    model: OurModel


class HoldsBody(Made[int]):
    model: OurModel = {"value": "2"}


class Added(Made[int]):
    value: Annotated[int, sd.StardagField(compat_default=1)] = "1"


@sd.task
def whole(value: int = "1") -> int:
    return value


CASES: Cases = {
    "a text for an int": lambda: Whole(),
    "a number for a bool": lambda: Truth(),
    "a text for a date": lambda: Day(),
    "a text for an int or a text": lambda: Either(),
    "a value for an enum": lambda: Coloured(),
    "a list for a tuple": lambda: Pair(),
    "a text for a path": lambda: Folder(),
    "a text with a pattern": lambda: Bounded(),
    "what a factory makes": lambda: Factory(),
    "nothing for an int": lambda: Missing(),
    "nothing for an int, and an int given": lambda: Missing(value=3),
    "in a plain model": lambda: HoldsPlain(),
    "in a model": lambda: HoldsOurs(model=OurModel()),
    "a body for a model": lambda: HoldsBody(),
    "a text at the compat default": lambda: Added(),
    "a text for an int of a function": lambda: whole(),
}
