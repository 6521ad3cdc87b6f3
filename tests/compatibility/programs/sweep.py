"""Task types and values at random: the same for a seed, on every release."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Optional
from uuid import UUID

from programs.dialect import Cases, Made, insignificant
from pydantic import BaseModel

import stardag as sd


class Kind(Enum):
    TEXT = "t"
    NUMBER = 3


class Model(BaseModel):
    number: float = 1
    names: dict[str, int] = {}


class Marked(sd.StardagBaseModel):
    kept: Optional[str] = None
    note: Annotated[int, insignificant()] = 0
    added: Annotated[list[int], sd.StardagField(compat_default=[])] = []


class SweepLeaf(Made[int]):
    n: int = 0


def cases(seed: int, count: int = 300) -> Cases:
    """Return `count` tasks, each of a type of its own, with up to four fields."""
    return {
        f"number {i} of seed {seed}": lambda i=i: _task(random.Random(f"{seed}/{i}"), i)
        for i in range(count)
    }


def _task(rng: random.Random, i: int) -> Any:
    annotations: dict[str, Any] = {}
    values: dict[str, Any] = {}
    defaults: dict[str, Any] = {}
    for n in range(rng.randint(0, 4)):
        name = f"field_{n}"
        annotation, value = _field(rng, depth=3)
        values[name] = value
        if rng.random() < 0.2:
            annotation = Annotated[annotation, insignificant()]
        elif rng.random() < 0.2:
            defaults[name] = value
            del values[name]
        annotations[name] = annotation
    if rng.random() < 0.3:
        values["version"] = _text(rng)
    body = {"__annotations__": annotations, "__module__": __name__, **defaults}
    return type(f"Sweep{i}", (Made[int],), body)(**values)


def _field(rng: random.Random, depth: int) -> tuple[Any, Any]:
    """Return a type, and a value of it."""
    if depth and rng.random() < 0.4:
        return rng.choice(_NESTINGS)(rng, depth - 1)
    annotation, make = rng.choice(_LEAVES)
    return annotation, make(rng)


def _list(rng: random.Random, depth: int) -> tuple[Any, Any]:
    annotation, make = _items(rng, depth)
    return list[annotation], [make() for _ in range(rng.randint(0, 3))]


def _tuple(rng: random.Random, depth: int) -> tuple[Any, Any]:
    pairs = [_field(rng, depth) for _ in range(rng.randint(1, 3))]
    return tuple[tuple(a for a, _ in pairs)], tuple(v for _, v in pairs)  # type: ignore[misc]


def _dict(rng: random.Random, depth: int) -> tuple[Any, Any]:
    annotation, make = _items(rng, depth)
    return dict[str, annotation], {_text(rng): make() for _ in range(rng.randint(0, 3))}


def _int_dict(rng: random.Random, depth: int) -> tuple[Any, Any]:
    annotation, make = _items(rng, depth)
    return dict[int, annotation], {rng.randint(-99, 99): make() for _ in range(rng.randint(0, 3))}


def _optional(rng: random.Random, depth: int) -> tuple[Any, Any]:
    annotation, value = _field(rng, depth)
    return Optional[annotation], value if rng.random() < 0.5 else None


def _untyped(rng: random.Random, depth: int) -> tuple[Any, Any]:
    return Any, _field(rng, depth)[1]


def _set(rng: random.Random, depth: int) -> tuple[Any, Any]:
    annotation, make = rng.choice([(int, _int), (str, _text), (date, _day), (SweepLeaf, _leaf)])
    return sd.HashableSet[annotation], [make(rng) for _ in range(rng.randint(0, 4))]


def _items(rng: random.Random, depth: int) -> tuple[Any, Callable[[], Any]]:
    """Return a type, and what makes values of it, each the same."""
    annotation, value = _field(rng, depth)
    return annotation, lambda: value


def _int(rng: random.Random) -> int:
    return rng.choice([0, 1, -1, rng.randint(-(10**6), 10**6), rng.randint(-(2**70), 2**70)])


def _float(rng: random.Random) -> float:
    return rng.choice(
        [0.0, -0.0, rng.random(), rng.uniform(-1, 1) * 10.0 ** rng.randint(-300, 300)]
    )


def _text(rng: random.Random) -> str:
    letters = string.ascii_letters + string.digits + " _-./\\\"'éß\u2028\x00\n任😀"
    return "".join(rng.choice(letters) for _ in range(rng.randint(0, 8)))


def _zone(rng: random.Random) -> timezone | None:
    return rng.choice([None, timezone.utc, timezone(timedelta(minutes=rng.randint(-720, 720)))])


def _moment(rng: random.Random) -> datetime:
    micros = rng.choice([0, 1000 * rng.randint(0, 999), rng.randint(0, 999_999)])
    return datetime(
        rng.randint(1900, 2200), rng.randint(1, 12), rng.randint(1, 28), rng.randint(0, 23),
        rng.randint(0, 59), rng.randint(0, 59), micros, _zone(rng),
    )  # fmt: skip


def _day(rng: random.Random) -> date:
    return date(rng.randint(1, 9999), rng.randint(1, 12), rng.randint(1, 28))


def _leaf(rng: random.Random) -> Any:
    return SweepLeaf(n=rng.randint(0, 99), version=rng.choice(["", "1"]))


_LEAVES: list[tuple[Any, Callable[[random.Random], Any]]] = [
    (int, _int),
    (float, _float),
    (float, lambda rng: rng.randint(-9, 9)),
    (str, _text),
    (bool, lambda rng: rng.random() < 0.5),
    (bytes, lambda rng: _text(rng).encode()),
    (datetime, _moment),
    (date, _day),
    (time, lambda rng: _moment(rng).timetz()),
    (timedelta, lambda rng: timedelta(microseconds=rng.randint(-(10**13), 10**13))),
    (Decimal, lambda rng: Decimal(rng.randint(-(10**9), 10**9)).scaleb(rng.randint(-12, 12))),
    (UUID, lambda rng: UUID(int=rng.getrandbits(128))),
    (Path, lambda rng: Path(_text(rng).replace("\x00", ""))),
    (Kind, lambda rng: rng.choice(list(Kind))),
    (Literal["a", 1, None], lambda rng: rng.choice(["a", 1, None])),
    (int | str | None, lambda rng: rng.choice([_int(rng), _text(rng), None])),
    (float | bool, lambda rng: rng.choice([_float(rng), True])),
    (Model, lambda rng: Model(number=_float(rng), names={_text(rng): _int(rng)})),
    (Marked, lambda rng: Marked(note=_int(rng), added=rng.choice([[], [1]]))),
    (sd.TaskLoads[int], _leaf),
    (SweepLeaf, _leaf),
]

_NESTINGS = (_list, _tuple, _dict, _int_dict, _optional, _untyped, _set)
