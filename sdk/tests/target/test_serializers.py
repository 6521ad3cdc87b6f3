"""Which serializer a type gets, and what text, bytes, JSON, pickles and own types promise."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Generic, NewType, TypeVar
from uuid import UUID

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import BaseModel

import stardag as sd
from stardag.target.serialize import (
    BytesSerializer,
    JSONBytesSerializer,
    JSONSerializer,
    NumpySerializer,
    PandasCSVSerializer,
    PandasParquetSerializer,
    PandasSeriesSerializer,
    PickleSerializer,
    PlainTextSerializer,
    PolarsParquetSerializer,
    PolarsSeriesSerializer,
    SelfSerializer,
    get_serializer,
    register_serializer,
)

T = TypeVar("T")


class Color(Enum):
    RED = "red"


class Model(BaseModel):
    when: datetime
    values: tuple[int, ...]


class Measured(BaseModel):
    x: float


@dataclasses.dataclass
class Data:
    x: float
    y: dict[str, bytes]


class Opaque:
    pass


class OpaqueChild(Opaque):
    pass


def round_trip(annotation: Any, value: Any, tmp_path: Path) -> Any:
    target: sd.LocalTarget[Any] = sd.LocalTarget(tmp_path / "object", get_serializer(annotation))
    target.save(value)
    return target.load()


Frame = NewType("Frame", pd.DataFrame)


@pytest.mark.parametrize(
    ("annotation", "serializer", "extension"),
    [
        (str, PlainTextSerializer, "txt"),
        (bytes, JSONBytesSerializer, "json"),
        (Annotated[bytes, BytesSerializer()], BytesSerializer, "bin"),
        (int, JSONSerializer, "json"),
        (str | None, JSONSerializer, "json"),
        (list[Model], JSONSerializer, "json"),
        (pd.DataFrame, PandasParquetSerializer, "parquet"),
        (Frame, PandasParquetSerializer, "parquet"),
        (pl.DataFrame, PolarsParquetSerializer, "parquet"),
        (pd.Series, PandasSeriesSerializer, "parquet"),
        (pl.Series, PolarsSeriesSerializer, "parquet"),
        (np.ndarray, NumpySerializer, "npy"),
        (NDArray[np.float64], NumpySerializer, "npy"),
        (Annotated[pd.DataFrame, "a note"], PandasParquetSerializer, "parquet"),
        (Annotated[pd.DataFrame, PandasCSVSerializer()], PandasCSVSerializer, "csv"),
        (Annotated[Opaque, PickleSerializer()], PickleSerializer, "pkl"),
    ],
)
def test_a_type_gets_its_serializer(annotation: Any, serializer: type, extension: str) -> None:
    chosen = get_serializer(annotation)
    assert type(chosen) is serializer
    assert chosen.get_default_extension() == extension


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (str, "é\r\n\x00"),
        (str, ""),
        (bytes, b"\x00\xff"),
        (int, 2**200),
        (complex, 1 + 2j),
        (Decimal, Decimal("1.10")),
        (Color, Color.RED),
        (UUID, UUID(int=7)),
        (Path, Path("/a b/é")),
        (date, date(2024, 2, 29)),
        (timedelta, timedelta(days=30, microseconds=5)),
        (datetime, datetime(2024, 1, 1)),
        (datetime, datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=30)))),
        (float | None, None),
        (int | str, "1"),
        (int | str, 1),
        (set[int], {1, 2}),
        (frozenset[int] | None, frozenset({1})),
        (tuple[int, str], (1, "a")),
        (dict[str, list[int]], {"a": [1]}),
        (dict[int, str], {1: "a"}),
        (dict[date, float], {date(2024, 1, 1): 1.5}),
        (Model, Model(when=datetime(2024, 1, 1, tzinfo=UTC), values=(1, 2))),
        (Model | Measured, Measured(x=1.0)),
        (Data, Data(1.5, {"k": b"v"})),
        (list[Model], []),
    ],
)
def test_values_come_back_as_they_were(annotation: Any, value: Any, tmp_path: Path) -> None:
    found = round_trip(annotation, value, tmp_path)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("content", "written"),
    [
        ("é\n".encode(), '"é\\n"'),  # as the published releases write it
        (b"\xff", '{"base64": "/w=="}'),
    ],
)
def test_bytes_are_the_json_of_the_text_that_they_are(
    content: bytes, written: str, tmp_path: Path
) -> None:
    assert round_trip(bytes, content, tmp_path) == content
    assert (tmp_path / "object").read_text(encoding="utf-8") == written


@pytest.mark.parametrize(
    "content", ["3", "{", '{"base64": "é"}', '{"base64": 1}', '{"other": "x"}']
)
def test_json_that_is_no_bytes_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "object").write_text(content, encoding="utf-8")
    with pytest.raises(sd.SerializerError, match="can't be read"):
        refusing_target(bytes, tmp_path).load()


@given(st.text(), st.binary(), st.recursive(st.integers() | st.text() | st.none(), st.lists))
def test_any_text_bytes_and_nested_lists_come_back(
    tmp_path_factory: pytest.TempPathFactory, text: str, content: bytes, nested: Any
) -> None:
    tmp_path = tmp_path_factory.getbasetemp()
    assert round_trip(str, text, tmp_path) == text
    assert round_trip(bytes, content, tmp_path) == content
    assert round_trip(Annotated[bytes, BytesSerializer()], content, tmp_path) == content
    assert round_trip(Any, nested, tmp_path) == nested


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (float, float("nan")),
        (float, -0.0),
        (float, 5e-324),
        (Decimal | None, Decimal("0E+3")),
        (dict[str, float], {"a": float("-inf")}),
        (list[Data], [Data(float("nan"), {})]),
        (list[str], ["NaN", "Infinity"]),
    ],
)
def test_numbers_come_back_to_the_last_digit_also_those_that_json_has_not(
    annotation: Any, value: Any, tmp_path: Path
) -> None:
    assert repr(round_trip(annotation, value, tmp_path)) == repr(value)


def refusing_target(annotation: Any, tmp_path: Path) -> sd.LocalTarget[Any]:
    return sd.LocalTarget(tmp_path / "object", get_serializer(annotation))


def test_a_nan_that_a_class_would_lose_is_refused_with_its_place(tmp_path: Path) -> None:
    target = refusing_target(list[Measured], tmp_path)
    with pytest.raises(sd.SerializerError, match=r"\[1\]\['x'\] is NaN"):
        target.save([Measured(x=1.0), Measured(x=float("nan"))])
    assert not target.exists()


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, "text"),
        (str, 3),
        (str, "\ud800"),
        (bytes, "text"),
        (Annotated[bytes, BytesSerializer()], "text"),
        (dict[str, bytes], {"a": b"\xff"}),
        (Decimal, Decimal("NaN")),
    ],
)
def test_what_would_not_come_back_is_refused_and_nothing_is_written(
    annotation: Any, value: Any, tmp_path: Path
) -> None:
    target = refusing_target(annotation, tmp_path)
    with pytest.raises(sd.SerializerError):
        target.save(value)
    assert not target.exists()


def test_a_type_that_nothing_fits_is_an_error_with_the_ways_out() -> None:
    with pytest.raises(sd.SerializerError, match=r"Opaque.*Annotated\[.*register_serializer"):
        get_serializer(Opaque)
    with pytest.raises(
        sd.SerializerError,
        match=r"type dict\[str, .*DataFrame\]: Pydantic can't describe <class '.*DataFrame'>",
    ):
        get_serializer(dict[str, pd.DataFrame])


def test_content_of_another_format_is_an_error_that_names_the_target(tmp_path: Path) -> None:
    for annotation in (int, str, Annotated[Any, PickleSerializer()]):
        target = refusing_target(annotation, tmp_path)
        with target.open("wb") as file:
            file.write(b"\xff\xfe no such format")
        with pytest.raises(sd.SerializerError, match=r"object can't be read"):
            target.load()


def test_a_pickle_is_never_written_nor_read_unasked(tmp_path: Path) -> None:
    target = refusing_target(dict[str, int], tmp_path)
    (tmp_path / "object").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(sd.SerializerError, match="object can't be read"):
        target.load()


def test_a_pickle_is_written_where_it_is_named(tmp_path: Path) -> None:
    value = {(1, 2): {3}, None: Color.RED}
    assert round_trip(Annotated[dict[Any, Any], PickleSerializer()], value, tmp_path) == value


def test_what_cannot_be_pickled_is_an_error(tmp_path: Path) -> None:
    target = refusing_target(Annotated[Any, PickleSerializer()], tmp_path)
    with pytest.raises(sd.SerializerError, match="can't be pickled"):
        target.save(lambda: None)
    assert not target.exists()


def test_a_pickle_as_last_resort_is_for_what_nothing_else_fits() -> None:
    def chosen(annotation: Any) -> type:
        return type(get_serializer(annotation, pickle_as_last_resort=True))

    assert chosen(Opaque) is PickleSerializer
    assert chosen(Annotated[Opaque, "a note"]) is PickleSerializer
    assert chosen(int) is JSONSerializer


def test_an_annotated_serializer_decides() -> None:
    chosen = JSONSerializer[str](str)
    assert get_serializer(Annotated[str, chosen]) is chosen
    assert get_serializer(Annotated[str, PlainTextSerializer(), chosen]) is chosen


def test_a_class_in_place_of_a_serializer_is_an_error_that_says_how_to_write_it() -> None:
    with pytest.raises(
        sd.SerializerError, match=r"annotate it with a serializer, PickleSeri.*\(\)"
    ):
        get_serializer(Annotated[Opaque, PickleSerializer])


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Callable[[type, Callable[[Any], Any]], None]:
    """Register for the length of a test."""
    monkeypatch.setattr("stardag.target.serialize._registered", {})
    return register_serializer


def test_a_registered_type_decides_for_its_subclasses_too(
    register: Callable[[type, Callable[[Any], Any]], None],
) -> None:
    register(Opaque, lambda cls: PickleSerializer())
    assert isinstance(get_serializer(OpaqueChild), PickleSerializer)
    register(OpaqueChild, lambda cls: PlainTextSerializer())
    assert isinstance(get_serializer(OpaqueChild), PlainTextSerializer)
    assert isinstance(get_serializer(Opaque), PickleSerializer)


def test_a_registered_type_comes_before_all_but_annotated(
    register: Callable[[type, Callable[[Any], Any]], None],
) -> None:
    made_for: list[Any] = []

    def make(annotation: Any) -> PickleSerializer:
        made_for.append(annotation)
        return PickleSerializer()

    register(dict, make)
    register(Vector, make)
    assert isinstance(get_serializer(dict[str, int]), PickleSerializer)
    assert isinstance(get_serializer(Vector[int]), PickleSerializer)
    assert made_for == [dict[str, int], Vector[int]]
    assert isinstance(get_serializer(Annotated[dict[str, int], BytesSerializer()]), BytesSerializer)


class Vector(Generic[T]):
    """A type with a format of its own."""

    def __init__(self, *numbers: float) -> None:
        self.numbers = numbers

    def dump(self, target: sd.FileSystemTarget[Any]) -> None:
        with target.open("w") as file:
            file.write(" ".join(map(repr, self.numbers)))

    @classmethod
    def load(cls, target: sd.FileSystemTarget[Any]) -> Vector[T]:
        with target.open() as file:
            return cls(*map(float, file.read().split()))


class LongVector(Vector[int]):
    pass


def test_a_type_may_write_and_read_itself(tmp_path: Path) -> None:
    found = round_trip(LongVector, LongVector(1.5, -0.0), tmp_path)
    assert type(found) is LongVector
    assert found.numbers == (1.5, -0.0)
    assert (tmp_path / "object").read_text() == "1.5 -0.0"
    assert isinstance(get_serializer(Vector[int]), SelfSerializer)
    assert round_trip(Vector[int], Vector[int](2.5), tmp_path).numbers == (2.5,)


def test_a_value_that_is_not_of_the_type_does_not_write_itself(tmp_path: Path) -> None:
    target = refusing_target(LongVector, tmp_path)
    with pytest.raises(sd.SerializerError, match="holds a LongVector, not Vector"):
        target.save(Vector(1.0))
    assert not target.exists()


class Loader:
    """Has methods of these names for another purpose."""

    def dump(self) -> None: ...
    def load(self) -> None: ...


def test_methods_that_happen_to_have_the_names_are_none_of_its_own() -> None:
    with pytest.raises(sd.SerializerError, match="no serializer fits the output type Loader"):
        get_serializer(Loader)


def test_a_target_without_serializer_says_so(tmp_path: Path) -> None:
    with pytest.raises(sd.SerializerError, match="has no serializer"):
        sd.LocalTarget(tmp_path / "x").save(1)
