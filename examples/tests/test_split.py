"""The split is a property of each row: nothing around a row moves it to the other side."""

from __future__ import annotations

import pandas as pd
import pytest
from classifiers import data
from hypothesis import given
from hypothesis import strategies as st

Row = tuple[float, float]

measured = st.floats(allow_nan=False, allow_infinity=False)
rows = st.lists(st.tuples(measured, measured), unique=True, max_size=30)
shares = st.floats(0, 1)


def frame(measurements: list[Row], label: bool = True) -> pd.DataFrame:
    table = pd.DataFrame(measurements, columns=["size", "texture"], dtype="float64")
    return table.assign(**{data.LABEL: label})


def side(table: pd.DataFrame, name: data.Side, share: float) -> set[Row]:
    part = data.features(data.split(table, name, share))
    return set(part.itertuples(index=False, name=None))


@given(rows, shares)
def test_every_row_is_on_one_side(measurements: list[Row], share: float) -> None:
    train, test = (side(frame(measurements), name, share) for name in ("train", "test"))
    assert train | test == set(measurements)
    assert not train & test


@given(rows, rows, shares)
def test_more_rows_move_none(known: list[Row], new: list[Row], share: float) -> None:
    before = side(frame(known), "test", share)
    after = side(frame(new + known), "test", share)
    assert after & set(known) == before


@given(st.data(), rows, shares)
def test_another_order_moves_none(
    choice: st.DataObject, measurements: list[Row], share: float
) -> None:
    reordered = choice.draw(st.permutations(measurements))
    assert side(frame(reordered), "test", share) == side(frame(measurements), "test", share)


@given(rows, shares)
def test_a_corrected_label_moves_none(measurements: list[Row], share: float) -> None:
    sides = [side(frame(measurements, label), "test", share) for label in (True, False)]
    assert sides[0] == sides[1]


@given(rows, shares, shares)
def test_a_larger_test_side_only_takes_from_the_training_side(
    measurements: list[Row], one: float, other: float
) -> None:
    small, large = sorted((one, other))
    assert side(frame(measurements), "test", small) <= side(frame(measurements), "test", large)


@pytest.mark.parametrize(("name", "number"), [("train", 435), ("test", 134)])
def test_the_sides_are_the_same_on_every_machine(name: data.Side, number: int) -> None:
    assert len(data.split(data.clean(data.load()), name, 0.25)) == number


def test_cleaning_keeps_the_complete_and_measured_rows_once() -> None:
    raw = pd.DataFrame(
        [(9.5, 1.0, 0), (9.5, 1.0, 0), (8.0, None, 1), (0.0, 2.0, 1), (7.0, 3.0, 1)],
        columns=["mean radius", "mean texture", "target"],
    )
    expected = pd.DataFrame(
        [(9.5, 1.0, True), (7.0, 3.0, False)],
        columns=["mean_radius", "mean_texture", "malignant"],
        index=[0, 4],
    )
    pd.testing.assert_frame_equal(data.clean(raw), expected)
