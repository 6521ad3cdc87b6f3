"""Which serializer a type gets, and that values come back as they were."""

from __future__ import annotations

import dataclasses
import pickle
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import pytest
from pydantic import BaseModel

import stardag as sd
from stardag.target.serialize import (
    JSONSerializer,
    PlainTextSerializer,
    get_serializer,
    register_serializer,
)


class Model(BaseModel):
    when: datetime
    values: tuple[int, ...]


class Measured(BaseModel):
    x: float


@dataclasses.dataclass
class Data:
    x: float
    y: dict[str, bytes]


def round_trip(annotation: Any, value: Any, tmp_path: Path) -> Any:
    target = sd.LocalTarget(tmp_path / "object", get_serializer(annotation))
    target.save(value)
    return target.load()


@pytest.mark.parametrize(
    ("annotation", "value", "extension"),
    [
        (str, "é\r\n\x00", "txt"),
        (bytes, b"\x00\xff", "bin"),
        (int, 2**100, "json"),
        (float | None, None, "json"),
        (dict[str, list[int]], {"a": [1]}, "json"),
        (Model, Model(when=datetime(2024, 1, 1, tzinfo=UTC), values=(1, 2)), "json"),
        (Data, Data(1.5, {"k": b"v"}), "json"),
        (list[Model], [], "json"),
    ],
)
def test_values_come_back_as_they_were(
    annotation: Any, value: Any, extension: str, tmp_path: Path
) -> None:
    assert get_serializer(annotation).get_default_extension() == extension
    assert round_trip(annotation, value, tmp_path) == value


def test_frames_come_back_with_types_and_index(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "i": pd.array([1, None], dtype="Int64"),
            "t": pd.Series([pd.Timestamp("2024-01-01", tz="Europe/Stockholm"), pd.NaT]),
            "f": [float("nan"), 1.5],
            "s": ["é", None],
        },
    ).set_index(pd.Index(["a", "b"], name="key"))
    pd.testing.assert_frame_equal(round_trip(pd.DataFrame, frame, tmp_path), frame)
    assert get_serializer(pd.DataFrame).get_default_extension() == "parquet"


def test_an_annotated_serializer_decides() -> None:
    chosen = JSONSerializer[str](str)
    assert get_serializer(Annotated[str, chosen]) is chosen
    assert isinstance(get_serializer(Annotated[str, "a note"]), PlainTextSerializer)


class Own:
    pass


def test_a_type_can_be_registered() -> None:
    register_serializer(Own, PlainTextSerializer)
    assert isinstance(get_serializer(Own), PlainTextSerializer)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (float, float("nan")),
        (dict[str, float], {"a": float("-inf")}),
        (list[Data], [Data(float("nan"), {})]),
    ],
)
def test_numbers_that_json_has_not_come_back(annotation: Any, value: Any, tmp_path: Path) -> None:
    assert repr(round_trip(annotation, value, tmp_path)) == repr(value)


def test_a_nan_that_a_class_would_lose_is_refused_with_its_place(tmp_path: Path) -> None:
    target = sd.LocalTarget(tmp_path / "object", get_serializer(list[Measured]))
    with pytest.raises(sd.SerializerError, match=r"\[1\]\['x'\] is NaN"):
        target.save([Measured(x=1.0), Measured(x=float("nan"))])
    assert not target.exists()


class Opaque:
    pass


def test_a_type_that_nothing_fits_is_an_error_with_the_ways_out() -> None:
    with pytest.raises(sd.SerializerError, match=r"Opaque.*Annotated\[.*register_serializer"):
        get_serializer(Opaque)


@pytest.mark.parametrize(
    ("annotation", "value"), [(int, "text"), (str, 3), (bytes, "text"), (pd.DataFrame, [1])]
)
def test_a_value_of_another_type_is_refused_and_nothing_is_written(
    annotation: Any, value: Any, tmp_path: Path
) -> None:
    target = sd.LocalTarget(tmp_path / "object", get_serializer(annotation))
    with pytest.raises(sd.SerializerError):
        target.save(value)
    assert not target.exists()


def test_a_pickle_is_never_written_nor_read_unasked(tmp_path: Path) -> None:
    target = sd.LocalTarget(tmp_path / "object", get_serializer(dict[str, int]))
    (tmp_path / "object").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(sd.SerializerError, match="object can't be read"):
        target.load()


def test_a_target_without_serializer_says_so(tmp_path: Path) -> None:
    with pytest.raises(sd.SerializerError, match="has no serializer"):
        sd.LocalTarget(tmp_path / "x").save(1)
