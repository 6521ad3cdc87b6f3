"""Lists, tuples and mappings are JSON's; hashable sets are sorted by their items."""

from __future__ import annotations

import dataclasses
import enum
from collections import OrderedDict, defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from programs.dialect import Cases, Made
from typing_extensions import TypedDict

import stardag as sd

sd.namespace("collections", __name__)


class Lists(Made[int]):
    value: list[int]


class Sequences(Made[int]):
    value: Sequence[float]


class Tuples(Made[int]):
    value: tuple[int, ...]


class Pair(Made[int]):
    value: tuple[int, str]


class Dicts(Made[int]):
    value: dict[str, int]


class Mappings(Made[int]):
    value: Mapping[str, float]


class IntKeys(Made[int]):
    value: dict[int, str]


class FloatKeys(Made[int]):
    value: dict[float, int]


class FlagKeys(Made[int]):
    value: dict[bool, int]


class Shade(enum.Enum):
    DARK = "dark"
    LIGHT = "light"


class Number(enum.IntEnum):
    ONE = 1
    TEN = 10


class EnumKeys(Made[int]):
    value: dict[Shade, int]


class NumberKeys(Made[int]):
    value: dict[Number, int]


class PairKeys(Made[int]):
    value: dict[tuple[int, int], int]


class Nested(Made[int]):
    value: dict[str, list[tuple[int, dict[str, float | None]]]]


class Sets(Made[int]):
    value: sd.HashableSet[int]


class TextSets(Made[int]):
    value: sd.HashableSet[str]


class FloatSets(Made[int]):
    value: sd.HashableSet[float]


class PairSets(Made[int]):
    value: sd.HashableSet[tuple[int, str]]


class SetsInside(Made[int]):
    value: dict[str, sd.HashableSet[int]]


class Deques(Made[int]):
    value: deque[int]


class Defaults(Made[int]):
    value: defaultdict[str, int]


class Ordered(Made[int]):
    value: OrderedDict[str, int]


class Point(NamedTuple):
    x: int
    y: float = 0


class Points(Made[int]):
    value: Point


class Row(TypedDict):
    b: int
    a: float


class Rows(Made[int]):
    value: list[Row]


@dataclasses.dataclass(frozen=True)
class Options:
    depth: int = 3
    rate: float = 1


class Optioned(Made[int]):
    value: Options = Options()


class BareList(Made[int]):
    value: list  # type: ignore[type-arg]


class BareDict(Made[int]):
    value: dict  # type: ignore[type-arg]


class Anything(Made[int]):
    value: Any


class PlainSet(Made[int]):
    value: set[int]


class PlainFrozenSet(Made[int]):
    value: frozenset[int]


CASES: Cases = {
    "a list": lambda: Lists(value=[3, 1, 2]),
    "an empty list": lambda: Lists(value=[]),
    "a tuple where a list is declared": lambda: Lists(value=(3, 1)),
    "a sequence of floats given as ints": lambda: Sequences(value=[1, 2.5]),
    "a tuple": lambda: Tuples(value=(1, 2)),
    "an empty tuple": lambda: Tuples(value=()),
    "a pair": lambda: Pair(value=(1, "x")),
    "a dict": lambda: Dicts(value={"b": 1, "a": 2}),
    "a dict with a quote and an accent in its keys": lambda: Dicts(value={'"': 1, "é": 2, "": 3}),
    "a mapping": lambda: Mappings(value={"a": 1}),
    "keys that are ints sort as text": lambda: IntKeys(value={10: "b", 9: "a", -1: "c"}),
    "keys that are floats": lambda: FloatKeys(value={1.0: 1, 0.1: 2, 1e22: 3}),
    "keys that are flags": lambda: FlagKeys(value={True: 1, False: 0}),
    "keys that are enum members": lambda: EnumKeys(value={Shade.LIGHT: 1, Shade.DARK: 2}),
    "keys that are int enum members": lambda: NumberKeys(value={Number.TEN: 1, Number.ONE: 2}),
    "keys that are pairs": lambda: PairKeys(value={(1, 2): 3}),
    "untyped int keys": lambda: Anything(value={10: "b", 9: "a"}),
    "untyped keys of two kinds": lambda: Anything(value={"a": 1, 2: 3}),
    "untyped none and flag keys": lambda: Anything(value={None: 1, True: 2}),
    "a nesting": lambda: Nested(value={"k": [(1, {"x": 1, "y": None})], "a": []}),
    "a set of ints": lambda: Sets(value={10, 9, 1, -1}),
    "a set given as a list": lambda: Sets(value=[3, 1, 2]),
    "a set given as a tuple": lambda: Sets(value=(3, 1, 2)),
    "a frozen set": lambda: Sets(value=frozenset({2, 1})),
    "a set given with an item twice": lambda: Sets(value=[1, 1, 2]),
    "an empty set": lambda: Sets(value=set()),
    "a set of texts": lambda: TextSets(value={"b", "a", "B", "é", "z"}),
    "a set of floats": lambda: FloatSets(value={1, 0.5, 10}),
    "a set of pairs": lambda: PairSets(value={(2, "a"), (1, "b"), (1, "a")}),
    "sets in a dict": lambda: SetsInside(value={"a": {3, 1, 2}}),
    "a deque": lambda: Deques(value=deque([2, 1])),
    "a default dict": lambda: Defaults(value={"a": 1}),
    "an ordered dict": lambda: Ordered(value=OrderedDict(b=1, a=2)),
    "a named tuple": lambda: Points(value=Point(1, 2)),
    "typed dicts": lambda: Rows(value=[{"b": 1, "a": 2}]),
    "a dataclass": lambda: Optioned(),
    "an untyped dataclass": lambda: Anything(value=Options(rate=2)),
    "a bare list": lambda: BareList(value=[1, 1.0, "x", None, [True]]),
    "a bare dict": lambda: BareDict(value={"a": [1, {"b": 2.0}]}),
    "an untyped nesting": lambda: Anything(value={"a": [1, (2.0, None)], "b": {"c": ()}}),
    "a plain set": lambda: PlainSet(value={3, 1, 2}),
    "a plain frozen set": lambda: PlainFrozenSet(value={3, 1, 2}),
}
