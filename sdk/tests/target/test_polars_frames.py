"""polars data frames come back as they were, or are refused; CSV is read where it is older."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal, assert_series_equal

import stardag as sd
from stardag.target import TargetFactory
from stardag.target.serialize import (
    PolarsCSVSerializer,
    PolarsParquetSerializer,
    PolarsSeriesSerializer,
)

AWKWARD = {
    "no rows, no columns": pl.DataFrame(),
    "no rows": pl.DataFrame(schema={"a": pl.Int16, "b": pl.List(pl.Struct({"c": pl.String}))}),
    "NaN": pl.DataFrame({"f": [float("nan"), None, float("inf"), -0.0]}),
    "nulls": pl.DataFrame({"n": [None, None]}),
    "times": pl.DataFrame(
        {
            "zone": [dt.datetime(2024, 3, 31, 12), None],
            "ns": [dt.datetime(2024, 1, 1), None],
            "ms": [dt.datetime(1600, 1, 1), None],
            "delta": [dt.timedelta(days=1, microseconds=1), None],
            "time": [dt.time(23, 59), None],
            "date": [dt.date(1, 1, 1), None],
        },
        schema_overrides={
            "zone": pl.Datetime("us", "Europe/Stockholm"),
            "ns": pl.Datetime("ns"),
            "ms": pl.Datetime("ms"),
        },
    ),
    "nested": pl.DataFrame(
        {"s": [{"a": 1, "b": [{"c": None}]}, None], "l": [[[1], []], None], "x": [[1, 2], [3, 4]]},
        schema_overrides={"x": pl.Array(pl.Int8, 2)},
    ),
    "categories": pl.DataFrame(
        {"c": ["a", "b", None], "e": ["a", "b", None]},
        schema={"c": pl.Categorical, "e": pl.Enum(["b", "a", "unused"])},
    ),
    "numbers": pl.DataFrame(
        {"u": [2**64 - 1], "i": [-(2**100)], "d": [Decimal("1.10")], "f": [0.1]},
        schema={"u": pl.UInt64, "i": pl.Int128, "d": pl.Decimal(20, 2), "f": pl.Float32},
    ),
    "bytes": pl.DataFrame({"b": [b"\xff\x00", None], "é ": ["\x00", ""]}),
}


def parquet_at(path: Path) -> sd.LocalTarget[pl.DataFrame]:
    return sd.LocalTarget(path / "frame.parquet", PolarsParquetSerializer())


@pytest.mark.parametrize("frame", AWKWARD.values(), ids=AWKWARD.keys())
def test_a_frame_comes_back_with_its_types(frame: pl.DataFrame, tmp_path: Path) -> None:
    parquet_at(tmp_path).save(frame)
    assert_frame_equal(parquet_at(tmp_path).load(), frame, check_exact=True)


def test_a_frame_comes_back_from_every_store(factory: TargetFactory) -> None:
    frame = pl.DataFrame({"a": range(1000), "b": ["é"] * 1000, "c": [dt.date(2024, 1, 1)] * 1000})
    for serializer in (PolarsParquetSerializer(), PolarsCSVSerializer()):
        target = factory.get_target("frame", serializer=serializer)
        target.save(frame)
        assert_frame_equal(target.load(), frame)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (pl.DataFrame({"o": [object()]}, schema={"o": pl.Object}), "Parquet can't hold the frame"),
        (pl.DataFrame({"a": [1]}).lazy(), "holds a polars DataFrame, not LazyFrame"),
        (pl.Series([1]), "holds a polars DataFrame, not Series"),
    ],
    ids=["objects", "lazy", "series"],
)
def test_what_would_not_come_back_is_refused_and_nothing_is_written(
    value: Any, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(sd.SerializerError, match=reason):
        parquet_at(tmp_path).save(value)
    assert not parquet_at(tmp_path).exists()


@pytest.mark.parametrize(
    "series",
    [
        pl.Series("x", [1, None]),
        pl.Series([], dtype=pl.List(pl.Int8)),
        pl.Series("t", [dt.datetime(2024, 1, 1)], dtype=pl.Datetime("ms", "Europe/Stockholm")),
    ],
)
def test_a_series_comes_back_with_its_name_and_type(series: pl.Series, tmp_path: Path) -> None:
    target = sd.LocalTarget(tmp_path / "series.parquet", PolarsSeriesSerializer())
    target.save(series)
    assert_series_equal(target.load(), series)


def test_only_a_series_is_written_and_read_as_one(tmp_path: Path) -> None:
    target = sd.LocalTarget(tmp_path / "series.parquet", PolarsSeriesSerializer())
    frame: Any = pl.DataFrame({"a": [1], "b": [2]})
    with pytest.raises(sd.SerializerError, match="holds a polars Series, not DataFrame"):
        target.save(frame)
    assert not target.exists()
    sd.LocalTarget(tmp_path / "series.parquet", PolarsParquetSerializer()).save(frame)
    with pytest.raises(sd.SerializerError, match="has 2 columns, and not one"):
        target.load()


def test_nested_columns_are_refused_for_csv(tmp_path: Path) -> None:
    target = sd.LocalTarget(tmp_path / "frame.csv", PolarsCSVSerializer())
    with pytest.raises(sd.SerializerError, match="CSV can't hold the frame"):
        target.save(pl.DataFrame({"l": [[1]]}))
    assert not target.exists()


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n"])
def test_a_file_that_is_no_parquet_is_an_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "frame.parquet").write_bytes(content)
    with pytest.raises(sd.SerializerError, match=r"frame.parquet can't be read"):
        parquet_at(tmp_path).load()


def test_an_older_csv_stands_for_a_missing_parquet(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": [1, 2], "b": ["x", "é"]})
    sd.LocalTarget(tmp_path / "frame.csv", PolarsCSVSerializer()).save(frame)
    assert parquet_at(tmp_path).exists()
    assert_frame_equal(parquet_at(tmp_path).load(), frame)


def test_an_empty_csv_is_an_empty_frame(tmp_path: Path) -> None:
    target = sd.LocalTarget(tmp_path / "frame.csv", PolarsCSVSerializer())
    target.save(pl.DataFrame())
    assert_frame_equal(target.load(), pl.DataFrame())
