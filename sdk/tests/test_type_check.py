"""Which declared types a task's output may have where another is declared."""

from __future__ import annotations

import datetime
import enum
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path, PurePath
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, Protocol, TypeVar

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from typing_extensions import TypeAliasType, TypedDict

import stardag as sd
from stardag._type_check import may_be


class Animal:
    pass


class Cat(Animal):
    pass


class HasLength(Protocol):
    def __len__(self) -> int: ...


class Row(TypedDict):
    n: int


class Pair(NamedTuple):
    a: int


class Colour(enum.StrEnum):
    RED = "red"


T = TypeVar("T")
AnimalT = TypeVar("AnimalT", bound=Animal)
NumberT = TypeVar("NumberT", int, float)
UserId = NewType("UserId", int)
Numbers = TypeAliasType("Numbers", list[int])


class Box(Generic[T]):
    pass


class Page(BaseModel, Generic[T]):
    item: T


ALLOWED: list[tuple[Any, Any]] = [
    # names for the same
    (int, Annotated[int, Field(gt=0)]),
    (list[Annotated[int, "unit"]], list[int]),
    (UserId, int),
    (int, UserId),
    (Numbers, Sequence[int]),
    (None, int | None),
    # what can't be told
    (Any, int),
    (object, int),
    (int, Any),
    ("Later", int),
    (T, int),
    (Animal, Cat),
    (Sequence[int], list[int]),
    (Mapping[str, int], dict[str, int]),
    (str, Colour),
    (BaseModel, Page[int]),
    (datetime.date, datetime.datetime),
    (PurePath, Path),
    (int, HasLength),
    (list, list[int]),
    (list[int], list),
    (Mapping, dict[str, int]),
    (Callable[[int], int], Callable[[str], int]),
    # more special, or more general
    (Cat, Animal),
    (bool, int),
    (Colour, str),
    (list[Cat], Sequence[Animal]),
    (list[int], Iterable[int]),
    (dict[str, int], Iterable[str]),
    (dict[str, int], Collection[str]),
    (str, Iterable[str]),
    (tuple[int, int], tuple[int, ...]),
    (tuple[int, ...], tuple[int, int]),
    (tuple[int, int], Sequence[int]),
    (sd.HashableSet[int], frozenset[int]),
    # unions, each way
    (int | None, int),
    (int, int | str),
    (list[int | str], list[int]),
    (list[int], list[int | str]),
    # literals
    (Literal["a"], str),
    (str, Literal["a"]),
    (Literal["a", 1], str),
    (Literal["a", "b"], Literal["b", "c"]),
    (Literal[Colour.RED], Colour),
    # numbers
    (int, float),
    (list[int], list[float]),
    (np.int64, int),
    (np.float32, float),
    (Fraction, float),
    # structured dicts, tuples and models
    (Row, dict[str, Any]),
    (dict[str, Any], Row),
    (Row, Mapping[str, object]),
    (Pair, tuple[int]),
    (Pair, tuple[int, ...]),
    (tuple[int], Pair),
    (Page[int], Page[int | str]),
    (Page[int], Page),
    (Page, Page[int]),
    (Box[int], Box),
    # arrays and frames
    (NDArray[np.float64], np.ndarray),
    (np.ndarray, NDArray[np.float64]),
    (NDArray[np.float64], NDArray[np.floating[Any]]),
    (pd.DataFrame, pd.DataFrame),
    # type variables and classes
    (AnimalT, Cat),
    (NumberT, float),
    (type[bool], type[int]),
    (type, type[int]),
]

REFUSED: list[tuple[Any, Any]] = [
    (Annotated[str, "unit"], int),
    (UserId, str),
    (str, UserId),
    (Numbers, int),
    (None, int),
    (Animal, int),
    (float, int),
    (Path, str),
    (list[str], Iterable[int]),
    (str, Iterable[int]),
    (Iterator[str], Iterable[int]),
    (dict[str, int], Iterable[int]),
    (dict[str, int], Mapping[str, str]),
    (dict[str, list[int]], dict[str, list[str]]),
    (tuple[int, str], tuple[str, int]),
    (tuple[int, str], tuple[int, ...]),
    (tuple[int, int], tuple[int, int, int]),
    (tuple[int, str], Sequence[int]),
    (sd.HashableSet[str], frozenset[int]),
    (set[int], frozenset[int]),
    (int | str, bytes),
    (list[str], list[int | bytes]),
    (Literal["a"], int),
    (Literal["a"], Literal["b"]),
    (int, Literal["a"]),
    (Row, list[int]),
    (list[int], Row),
    (dict[str, Any], Page[int]),
    (Page[int], dict[str, Any]),
    (Page[int], Page[str]),
    (Box[int], Box[str]),
    (NDArray[np.float64], NDArray[np.int64]),
    (pl.DataFrame, pd.DataFrame),
    (pd.DataFrame, pd.Series),
    (AnimalT, int),
    (NumberT, str),
    (type[int], type[str]),
]


@pytest.mark.parametrize(("actual", "expected"), ALLOWED)
def test_what_may_be_is_allowed(actual: Any, expected: Any) -> None:
    assert may_be(actual, expected)


@pytest.mark.parametrize(("actual", "expected"), REFUSED)
def test_what_can_not_be_is_refused(actual: Any, expected: Any) -> None:
    assert not may_be(actual, expected)
