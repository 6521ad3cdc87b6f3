"""pandas data frames come back as they were, or are refused; CSV is read where it is older."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import stardag as sd
from stardag.target import TargetFactory, exists_many
from stardag.target.serialize import (
    PandasCSVSerializer,
    PandasParquetSerializer,
    PandasSeriesSerializer,
)

AWKWARD = {
    "no rows, no columns": pd.DataFrame(),
    "no rows": pd.DataFrame({"a": pd.Series([], dtype="int32"), "b": pd.Series([], dtype="str")}),
    "no columns": pd.DataFrame(index=pd.Index([3, 1, 2])),
    "NaN": pd.DataFrame({"f": [float("nan"), 1.5, float("inf"), -0.0]}),
    "missing": pd.DataFrame(
        {
            "i": pd.array([1, None], dtype="Int64"),
            "b": pd.array([True, None], dtype="boolean"),
            "s": pd.array(["é", None], dtype="str"),
            "o": pd.Series([True, None], dtype=object),
        }
    ),
    "times": pd.DataFrame(
        {
            "zone": pd.Series([pd.Timestamp("2024-03-31 03:30", tz="Europe/Stockholm"), pd.NaT]),
            "utc": pd.Series([pd.Timestamp("1600-01-01", tz="UTC"), pd.NaT]).dt.as_unit("us"),
            "ns": pd.Series([pd.Timestamp(1), pd.NaT]),
            "delta": pd.Series([pd.Timedelta("1D 1ns"), pd.NaT]),
            "date": pd.Series([datetime.date(2024, 2, 29), None], dtype=object),
            "period": pd.period_range("2024-01", periods=2, freq="M"),
        }
    ),
    "numbers": pd.DataFrame(
        {
            "unsigned": pd.Series([2**64 - 1], dtype="uint64"),
            "half": pd.Series([0.5], dtype="float16"),
            "decimal": pd.Series([Decimal("123456789012345678901234567890.10")], dtype=object),
        }
    ),
    "categories": pd.DataFrame(
        {
            "c": pd.Categorical(["a", None, "b"], categories=["b", "a", "unused"], ordered=True),
        }
    ),
    "nested": pd.DataFrame(
        {"list": [np.array([1, 2]), np.array([], "int64")], "dict": [{"a": 1}, {"a": 2}]}
    ),
    "bytes": pd.DataFrame({"b": [b"\xff\x00"]}),
    "index, not unique": pd.DataFrame({"a": [1, 2, 3]}, index=pd.Index(["x", "x", "y"], name="k")),
    "index, named as a column": pd.DataFrame({"a": [1]}, index=pd.Index([5], name="a")),
    "index, of several levels": pd.DataFrame(
        {"a": range(4)},
        index=pd.MultiIndex.from_product([["x", "y"], [1, 2]], names=["k", None]),
    ),
    "index, with steps": pd.DataFrame({"a": [1, 2]}, index=pd.RangeIndex(10, 14, 2)),
    "index, of times": pd.DataFrame(
        {"a": [1, 2]}, index=pd.DatetimeIndex(["2024-01-02", "2024-01-01"], tz="UTC")
    ),
    "columns, of several levels": pd.DataFrame(
        [[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")], names=["u", "v"])
    ),
    "columns, of numbers": pd.DataFrame([[1, 2]], columns=[0, 1]),
    "columns, with a name": pd.DataFrame({"a": [1]}).rename_axis("name", axis="columns"),
}


def parquet_at(path: Path) -> sd.LocalTarget[pd.DataFrame]:
    return sd.LocalTarget(path / "frame.parquet", PandasParquetSerializer())


def csv_at(path: Path) -> sd.LocalTarget[pd.DataFrame]:
    return sd.LocalTarget(path / "frame.csv", PandasCSVSerializer())


@pytest.mark.parametrize("frame", AWKWARD.values(), ids=AWKWARD.keys())
def test_a_frame_comes_back_with_types_and_index(frame: pd.DataFrame, tmp_path: Path) -> None:
    parquet_at(tmp_path).save(frame)
    pd.testing.assert_frame_equal(parquet_at(tmp_path).load(), frame)


def test_a_frame_comes_back_from_every_store(factory: TargetFactory) -> None:
    frame = pd.DataFrame({"a": range(1000), "b": ["é"] * 1000})
    for serializer in (PandasParquetSerializer(), PandasCSVSerializer()):
        target = factory.get_target("frame", serializer=serializer)
        target.save(frame)
        pd.testing.assert_frame_equal(target.load(), frame)


def with_attrs(attrs: dict[Any, Any]) -> pd.DataFrame:
    frame = pd.DataFrame({"a": [1]})
    frame.attrs.update(attrs)
    return frame


@pytest.mark.parametrize(
    ("frame", "found"),
    [
        (pd.DataFrame({"a": ["x", None]}, dtype=object), pd.DataFrame({"a": ["x", None]})),
        (pd.DataFrame({"a": [1, 2]}, dtype=object), pd.DataFrame({"a": [1, 2]})),
        (pd.DataFrame({"a": [1.5, None]}, dtype=object), pd.DataFrame({"a": [1.5, None]})),
        (
            pd.DataFrame({"a": [(1, 2), [3]]}),
            pd.DataFrame({"a": [np.array([1, 2]), np.array([3])]}),
        ),
        (pd.DataFrame({"a": range(2)}, index=pd.date_range("2024", periods=2)), None),
    ],
    ids=["text", "whole numbers", "numbers", "sequences", "freq"],
)
def test_objects_come_back_with_the_type_of_their_values(
    frame: pd.DataFrame, found: pd.DataFrame | None, tmp_path: Path
) -> None:
    parquet_at(tmp_path).save(frame)
    expected = frame if found is None else found
    pd.testing.assert_frame_equal(parquet_at(tmp_path).load(), expected, check_freq=False)


def series_at(path: Path) -> sd.LocalTarget[Any]:
    return sd.LocalTarget(path / "series.parquet", PandasSeriesSerializer())


@pytest.mark.parametrize(
    "series",
    [
        pd.Series([1, 2], name="x"),
        pd.Series([1.5, None]),
        pd.Series([], dtype="int8", name=""),
        pd.Series(["a", None], dtype="str", index=pd.Index(["x", "y"], name="k")),
        pd.Series([1, 2], index=pd.MultiIndex.from_tuples([("x", 1), ("x", 2)]), name="é"),
        pd.Series(pd.Categorical(["a"]), name="index"),
        pd.Series([pd.Timestamp("2024-01-01", tz="Europe/Stockholm"), pd.NaT]),
    ],
)
def test_a_series_comes_back_with_its_name_and_index(
    series: pd.Series[Any], tmp_path: Path
) -> None:
    series_at(tmp_path).save(series)
    pd.testing.assert_series_equal(series_at(tmp_path).load(), series)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (pd.Series([1], name=3), "the series' name 3 must be text"),
        (pd.Series([{1}]), "would come back as another"),
        (pd.DataFrame({"a": [1]}), "holds a pandas Series, not DataFrame"),
    ],
)
def test_a_series_that_would_not_come_back_is_refused(
    value: Any, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(sd.SerializerError, match=reason):
        series_at(tmp_path).save(value)
    assert not series_at(tmp_path).exists()


def test_a_frame_is_not_read_as_a_series(tmp_path: Path) -> None:
    sd.LocalTarget(tmp_path / "series.parquet", PandasParquetSerializer()).save(
        pd.DataFrame({"a": [1], "b": [2]})
    )
    with pytest.raises(sd.SerializerError, match="has 2 columns, and not one"):
        series_at(tmp_path).load()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), r"occur more than once: \['a'\]"),
        (pd.DataFrame([[1, 2]], columns=["a", 1]), r"of several types: \['a', 1\]"),
        (pd.DataFrame({"c": pd.Categorical([1, 2])}), "'c' has categories of int64"),
        (pd.DataFrame({"a": [1]}, index=pd.CategoricalIndex([1], name="k")), "'k' has categories"),
        (pd.DataFrame({"a": [2**60 + 1, None]}, dtype=object), "make 'a' an Int64"),
        (pd.DataFrame({"a": [1, "b"]}, dtype=object), "Parquet can't hold the frame"),
        (pd.DataFrame({"a": [object()]}), "Parquet can't hold the frame"),
        (pd.DataFrame({"a": [2**70]}, dtype=object), "Parquet can't hold the frame"),
        (pd.DataFrame({"a": [1j]}), "Parquet can't hold the frame"),
        (pd.DataFrame({"a": [{"x": 1}, {"y": 2}]}), r"in column 'a', a value .* as {'x': 1, 'y'"),
        (
            pd.DataFrame({"a": [{1, 2}]}),
            r"column 'a', a value .*{1, 2} \(set\) as \[1, 2\] \(list\)",
        ),
        (pd.DataFrame({"a": ["x", b"y"]}, dtype=object), r"'x' \(str\) as b'x' \(bytes\)"),
        (
            pd.DataFrame({"a": [datetime.date(2024, 1, 1), datetime.datetime(2024, 1, 1, 7)]}),
            r"\(datetime\) as .*\(date\)",
        ),
        (pd.DataFrame({"a": [datetime.time(1, tzinfo=datetime.UTC)]}), r"\(time\) as"),
        (pd.DataFrame({"a": [2**53 + 1, 0.5]}, dtype=object), "Parquet can't hold the frame"),
        (pd.DataFrame([[1, 2]], columns=[True, False]), "names of columns are of a type .*boolean"),
        (pd.DataFrame([[1]], columns=pd.CategoricalIndex(["a"])), "of a type .*categorical"),
        (pd.DataFrame([[1]], columns=pd.PeriodIndex(["2024-01"], freq="M")), "of a type .*period"),
        (pd.DataFrame([[1]], columns=[datetime.date(2024, 1, 1)]), "of a type .*date"),
        (pd.DataFrame({"a": [1]}, index=pd.Index(["x"], name=0)), "index's name 0 would become"),
        (with_attrs({"x": object()}), "its attrs can't be written as JSON"),
        (with_attrs({"x": {1: 2}}), r"its attrs\['x'\] key 1 would come back as another"),
        (pd.DataFrame({"a": pd.arrays.SparseArray([0, 1])}), "Parquet can't hold the frame"),
        (pd.Series([1]), "holds a pandas DataFrame, not Series"),
        ([1], "holds a pandas DataFrame, not list"),
    ],
)
def test_what_would_not_come_back_is_refused_and_nothing_is_written(
    value: Any, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(sd.SerializerError, match=reason):
        parquet_at(tmp_path).save(value)
    assert not parquet_at(tmp_path).exists()


def test_a_file_that_is_no_parquet_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "frame.parquet").write_text("a,b\n1,2\n")
    with pytest.raises(sd.SerializerError, match=r"frame.parquet can't be read"):
        parquet_at(tmp_path).load()


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": [1, 2], "b": ['x,"y"\n', "é"]}),
        pd.DataFrame({"f": [0.1, float("nan")]}, index=["x", "y"]),
        pd.DataFrame({"a": [1, 2]}, index=[5, 5]),
        pd.DataFrame({"a": [1, 2]}, index=[1, 2]),
        pd.DataFrame(),
    ],
    ids=["quotes", "labels", "repeated", "shifted", "empty"],
)
def test_a_simple_frame_comes_back_from_csv(frame: pd.DataFrame, tmp_path: Path) -> None:
    csv_at(tmp_path).save(frame)
    pd.testing.assert_frame_equal(csv_at(tmp_path).load(), frame, check_index_type=False)


@pytest.mark.parametrize("name", ["index, of several levels", "index, named as a column"])
def test_an_index_that_csv_would_lose_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(sd.SerializerError, match=r"CSV can't say which columns are the index"):
        csv_at(tmp_path).save(AWKWARD[name])
    assert not csv_at(tmp_path).exists()


@pytest.mark.parametrize(
    "frame", [pd.DataFrame([[1, 2]], columns=["a", "a"]), AWKWARD["columns, of several levels"]]
)
def test_columns_that_csv_would_rename_are_refused(frame: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(sd.SerializerError, match=r"CSV needs unique names"):
        csv_at(tmp_path).save(frame)


def test_an_older_csv_stands_for_a_missing_parquet(factory: TargetFactory) -> None:
    frame = pd.DataFrame({"a": [1.5, 2.5]}, index=["x", "y"])
    older = factory.get_target("frame.csv", serializer=PandasCSVSerializer())
    target = factory.get_target("frame.parquet", serializer=PandasParquetSerializer())
    absent = factory.get_target("absent.parquet", serializer=PandasParquetSerializer())
    assert not target.exists()
    older.save(frame)
    assert target.exists()
    assert exists_many([absent, target, older]) == [False, True, True]
    pd.testing.assert_frame_equal(target.load(), frame)
    target.save(frame * 2)
    pd.testing.assert_frame_equal(target.load(), frame * 2)
    with pytest.raises(sd.TargetNotFoundError, match=r"absent.parquet does not exist"):
        absent.load()


def test_an_older_csv_is_looked_for_only_beside_a_parquet(tmp_path: Path) -> None:
    (tmp_path / "frame.csv").write_text("a\n1\n")
    assert parquet_at(tmp_path).exists()
    assert not sd.LocalTarget(tmp_path / "frame", PandasParquetSerializer()).exists()


class Frame(sd.AutoTask[pd.DataFrame]):
    def run(self) -> None:
        self.output().save(pd.DataFrame({"a": [1]}))


def test_a_task_whose_output_is_an_older_csv_is_complete(factory: TargetFactory) -> None:
    with sd.target_factory_provider.override(factory):
        path = Frame().output().uri.removesuffix("parquet")
        factory.get_target(f"{path}csv", serializer=PandasCSVSerializer()).save(
            pd.DataFrame({"a": [7]})
        )
        assert sd.build(Frame()).counts.reused == 1
        assert Frame().load()["a"].tolist() == [7]
