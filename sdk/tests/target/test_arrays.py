"""numpy arrays come back as they were, or are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as arrays

import stardag as sd
from stardag.target import TargetFactory
from stardag.target.serialize import NumpySerializer

REFUSED = r"Python objects in it|holds a numpy array, not|.npy can't hold the array"


def target_at(path: Path) -> sd.LocalTarget[np.ndarray[Any, Any]]:
    return sd.LocalTarget(path / "array.npy", NumpySerializer())


def assert_same(found: np.ndarray[Any, Any], array: np.ndarray[Any, Any]) -> None:
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert found.flags.f_contiguous == array.flags.f_contiguous
    assert found.tobytes() == array.tobytes()


@pytest.mark.parametrize(
    "array",
    [
        np.array(1.5),
        np.array([]),
        np.empty((0, 3), "int8"),
        np.array([np.nan, np.inf, -0.0]),
        np.asfortranarray(np.arange(12).reshape(3, 4)),
        np.arange(24).reshape(2, 3, 4)[:, ::-1, ::2].copy(),
        np.array(["2024-01-01", "NaT"], "datetime64[ns]"),
        np.array([1, "NaT"], "timedelta64[D]"),
        np.array(["é", "日本"]),
        np.array([b"\x00a", b"b"], "S2"),
        np.array([1 + 2j], "complex64"),
        np.array([2**64 - 1], "uint64"),
        np.array([1, 2], ">i4"),
        np.array([True, False]),
        np.array([(1, 2.5, "a")], [("i", "i4"), ("f", "<f8"), ("s", "U3", (2,))]),
        np.zeros(2, np.dtype([("nested", [("x", "f4")])], align=True)),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_an_array_comes_back_as_it_was(array: np.ndarray[Any, Any], tmp_path: Path) -> None:
    target_at(tmp_path).save(array)
    assert_same(target_at(tmp_path).load(), array)


@given(
    arrays.arrays(arrays.scalar_dtypes() | arrays.array_dtypes(), arrays.array_shapes(min_dims=0))
)
def test_any_array_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, array: np.ndarray[Any, Any]
) -> None:
    target = target_at(tmp_path_factory.getbasetemp())
    target.save(array)
    assert_same(target.load(), array)


def test_a_large_array_comes_back_from_every_store(factory: TargetFactory) -> None:
    array = np.arange(2_000_000, dtype="f8")
    target = factory.get_target("array.npy", serializer=NumpySerializer())
    target.save(array)
    assert_same(target.load(), array)


@pytest.mark.parametrize(
    "value",
    [
        np.array([{}, "a"], dtype=object),
        np.array([(None, 1)], [("o", "O"), ("i", "i4")]),
        np.ma.masked_array([1, 2], [True, False]),  # pyright: ignore[reportUnknownMemberType]
        np.float64(1.5),
        [1, 2],
        np.zeros(1, {"names": ["a", "b"], "formats": ["i4", "i2"], "offsets": [4, 0]}),
    ],
    ids=["objects", "objects in a structure", "masked", "scalar", "list", "fields out of order"],
)
def test_what_would_not_come_back_is_refused_and_nothing_is_written(
    value: Any, tmp_path: Path
) -> None:
    with pytest.raises(sd.SerializerError, match=REFUSED):
        target_at(tmp_path).save(value)
    assert not target_at(tmp_path).exists()


def test_objects_in_a_file_are_not_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "array.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(sd.SerializerError, match=r"array.npy can't be read: Object arrays"):
        target_at(tmp_path).load()


@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY\x01\x00"])
def test_a_file_that_is_no_array_is_an_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "array.npy").write_bytes(content)
    with pytest.raises(sd.SerializerError, match=r"array.npy can't be read"):
        target_at(tmp_path).load()
