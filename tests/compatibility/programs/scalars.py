"""Numbers, flags and None are written as JSON writes them."""

from __future__ import annotations

import enum
from decimal import Decimal
from typing import Any, Literal, NewType

from programs.dialect import Cases, Made
from pydantic import Field, NonNegativeInt, StrictFloat
from typing_extensions import Annotated

import stardag as sd

sd.namespace("scalars", __name__)


class Whole(Made[int]):
    value: int


class Ratio(Made[int]):
    value: float


class Flag(Made[int]):
    value: bool


class Maybe(Made[int]):
    value: int | None = None


class Either(Made[int]):
    value: int | float | str | bool | None


class FloatOrInt(Made[int]):
    value: float | int


class Anything(Made[int]):
    value: Any


class Choice(Made[int]):
    value: Literal["a", 1, True, None] = "a"


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1


class Word(str, enum.Enum):
    YES = "yes"


class Mixed(enum.Enum):
    NUMBER = 1
    PAIR = (1, 2)
    NONE = None


class Enums(Made[int]):
    colour: Colour = Colour.RED
    level: Level = Level.LOW
    word: Word = Word.YES


class AnEnum(Made[int]):
    value: Mixed


class ColourChoice(Made[int]):
    value: Literal[Colour.RED] = Colour.RED


class Money(Made[int]):
    value: Decimal


UserId = NewType("UserId", int)


class Constrained(Made[int]):
    user: UserId
    count: NonNegativeInt = 3
    share: Annotated[float, Field(ge=0, le=1)] = 1
    strict: StrictFloat = 0.5


class Complex(Made[int]):
    value: complex


FLOATS = (
    0.0,
    -0.0,
    1.0,
    0.1,
    0.1 + 0.2,
    1e-7,
    1e-5,
    1e16,
    1e22,
    123456789012345680.0,
    1.7976931348623157e308,
    5e-324,
    1 / 3,
)
WHOLES = (0, -1, 2**53 + 1, 2**63, -(2**63) - 1, 2**64, 10**40)

CASES: Cases = {
    **{f"the float {x!r}": lambda x=x: Ratio(value=x) for x in FLOATS},
    **{f"the untyped float {x!r}": lambda x=x: Anything(value=x) for x in FLOATS},
    **{f"the int {n}": lambda n=n: Whole(value=n) for n in WHOLES},
    **{f"the untyped int {n}": lambda n=n: Anything(value=n) for n in WHOLES},
    "an int where a float is declared": lambda: Ratio(value=1),
    "a text where a float is declared": lambda: Ratio(value="1e22"),
    "a large int where a float is declared": lambda: Ratio(value=10**22),
    "true": lambda: Flag(value=True),
    "one where a flag is declared": lambda: Flag(value=1),
    "true where an int is declared": lambda: Whole(value=True),
    "none": lambda: Maybe(),
    "a value where none may be": lambda: Maybe(value=1),
    "an int in a union": lambda: Either(value=1),
    "a float in a union": lambda: Either(value=1.0),
    "a flag in a union": lambda: Either(value=True),
    "a text in a union": lambda: Either(value="1"),
    "none in a union": lambda: Either(value=None),
    "an int in a union with float first": lambda: FloatOrInt(value=1),
    "an untyped flag": lambda: Anything(value=True),
    "an untyped none": lambda: Anything(value=None),
    "an untyped enum member": lambda: Anything(value=Colour.BLUE),
    "an untyped int enum member": lambda: Anything(value=Level.LOW),
    "an untyped text enum member": lambda: Anything(value=Word.YES),
    "an untyped decimal": lambda: Anything(value=Decimal("1.10")),
    "a literal": lambda: Choice(),
    "a literal int": lambda: Choice(value=1),
    "a literal none": lambda: Choice(value=None),
    "a literal enum member": lambda: ColourChoice(),
    "enum members": lambda: Enums(),
    "an enum member by its value": lambda: Enums(colour="blue"),
    "an enum member that is a number": lambda: AnEnum(value=Mixed.NUMBER),
    "an enum member that is a pair": lambda: AnEnum(value=Mixed.PAIR),
    "an enum member that is none": lambda: AnEnum(value=Mixed.NONE),
    "a decimal": lambda: Money(value=Decimal("1.10")),
    "a decimal with an exponent": lambda: Money(value=Decimal("1E+5")),
    "a decimal from an int": lambda: Money(value=1),
    "a decimal from a float": lambda: Money(value=0.1),
    "a negative zero decimal": lambda: Money(value=Decimal("-0.00")),
    "constrained numbers": lambda: Constrained(user=UserId(7)),
    "a complex number": lambda: Complex(value=1 + 2j),
}
