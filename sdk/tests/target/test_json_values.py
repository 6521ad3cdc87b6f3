"""What JSON gives back, and what is refused because it would come back as another value."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, computed_field

import stardag as sd
from stardag.target.serialize import get_serializer
from stardag.target.serializers.fidelity import first_difference


def target_of(annotation: Any, tmp_path: Path) -> sd.LocalTarget[Any]:
    return sd.LocalTarget(tmp_path / "object.json", get_serializer(annotation))


def round_trip(annotation: Any, value: Any, tmp_path: Path) -> Any:
    target = target_of(annotation, tmp_path)
    target.save(value)
    return target.load()


class Measured(BaseModel):
    x: float


class Holder(BaseModel):
    secret: SecretStr = SecretStr("")
    measured: Measured = Measured(x=0.0)
    cache: int = Field(default=0, exclude=True)


class Renamed(BaseModel):
    x: int = Field(alias="X")


class Derived(Measured):
    y: int = 0


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")

    @computed_field
    @property
    def twice(self) -> int:
        return 2


class Tree(BaseModel):
    below: list[Tree] = []


def deep(levels: int) -> Tree:
    tree = Tree()
    for _ in range(levels):
        tree = Tree(below=[tree])
    return tree


@pytest.mark.parametrize(
    ("annotation", "value", "problem"),
    [
        (dict[int | str, int], {1: 1, "1": 2}, "would come back as another"),
        (dict[str, Any], {"a": [SecretStr("s3cret")]}, r"\['a'\]\[0\] would come back as another"),
        (date | str, "2024-01-01", r"would come back .*\(str\) as datetime.date"),
        (list[Measured], [Derived(x=1.0)], r"the value\[0\] would come back .*\(Derived\) as"),
        (Holder, Holder(measured=Derived(x=1.0)), r"\['measured'\] would come back as another"),
        (Holder, Holder(secret=SecretStr("s3cret")), r"\['secret'\] would come back as another"),
        (Holder, Holder(cache=7), r"the value\['cache'\] would come back as another, 7"),
        (Renamed, Renamed(X=1), "the value could not be read back: X: Field required"),
        (Strict, Strict(), "could not be read back: twice: Extra inputs"),
        (dict[Literal["a", 1], int], {1: 1}, "could not be read back"),
        (list[int], [10**5000], "could not be read back: Invalid JSON: number out of range"),
        (Tree, deep(150), "could not be read back: Invalid JSON: recursion limit exceeded"),
        (Tree, deep(500), "can't be written: .*depth exceeded"),
        (list[int], ["x"] * 10, r"can't be written: Expected `int` \[input_value='x', .*\]$"),
        (list[Decimal], [Decimal("NaN")] * 9, "finite number; .*; and 6 more$"),
    ],
)
def test_what_would_come_back_as_another_value_is_refused_with_its_place(
    annotation: Any, value: Any, problem: str, tmp_path: Path
) -> None:
    target = target_of(annotation, tmp_path)
    with pytest.raises(sd.SerializerError, match=problem) as raised:
        target.save(value)
    assert not target.exists()
    assert "s3cret" not in str(raised.value)
    assert "\n" not in str(raised.value)


class WithPrivate(BaseModel):
    x: list[float]
    _cached: int = PrivateAttr(default=0)


@dataclasses.dataclass(eq=False)
class Plain:
    x: float


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Any, {"a": (1, [2.5, None]), "b": float("nan")}),
        (dict, {1: 2}),
        (dict[Any, int], {(1, 2): 3}),
        (Any, {"a": [0, {1}]}),
        (object, date(2024, 1, 1)),
        (dict[str, Any], {"when": [datetime(2024, 1, 1)], "of": Measured(x=1.0)}),
        (list, [Path("/x"), Decimal("1.10")]),
        (dict[str, Any], {"nan": [float("nan"), {"x": float("inf")}]}),
        (Sequence[int], (1, 2)),
        (float, 3),
        (list[float], [1, np.float64(2.5)]),
        (datetime, datetime(2024, 1, 1, tzinfo=ZoneInfo("Europe/Stockholm"))),
    ],
)
def test_numbers_sequences_and_times_may_come_back_in_another_dress(
    annotation: Any, value: Any, tmp_path: Path
) -> None:
    assert first_difference(value, round_trip(annotation, value, tmp_path), untyped=True) is None


def test_what_has_no_equality_or_private_parts_is_compared_by_its_fields(tmp_path: Path) -> None:
    value = WithPrivate(x=[1.5])
    value._cached = 3
    assert repr(round_trip(WithPrivate, value, tmp_path)) == repr(value)
    assert round_trip(list[Plain], [Plain(1.5)], tmp_path)[0].x == 1.5
    assert first_difference(Plain(1.5), Plain(2.5)) == ("['x']", 1.5, 2.5)


@pytest.mark.parametrize(
    "annotation",
    [Iterator[int], Generator[int, None, None], Iterable[int], dict[str, Iterable[int]], map],
)
def test_iterators_are_refused_at_once_as_they_can_be_read_only_once(annotation: Any) -> None:
    with pytest.raises(sd.SerializerError, match=r"read only once; return a list"):
        get_serializer(annotation)


@pytest.mark.parametrize(
    "annotation", [dict[tuple[int, int], str], list[dict[str, dict[None, int]]]]
)
def test_keys_that_json_could_not_give_back_are_refused_at_once(annotation: Any) -> None:
    with pytest.raises(sd.SerializerError, match=r"keys are text.*use a list of pairs"):
        get_serializer(annotation)
