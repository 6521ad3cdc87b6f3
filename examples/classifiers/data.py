"""The measurements: where they come from, how they are cleaned and how they are split."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABEL = "malignant"
"""The column to predict; all others are measurements."""

Side = Literal["train", "test"]
"""One of the two parts that the rows are split into."""


def load() -> pd.DataFrame:
    """Return the 569 tumours of the Wisconsin data set, which scikit-learn ships.

    30 measurements of cell nuclei each, and `target`: 0 malignant, 1 benign.
    """
    # scikit-learn has no stubs, and its Bunch takes its attributes from a dict.
    bunch = cast("Any", load_breast_cancer(as_frame=True))
    return bunch.frame


def clean(raw: pd.DataFrame) -> pd.DataFrame:
    """Return the usable rows: complete, without repeats, and with a label that says its meaning.

    Column names become identifiers. A nucleus without a size was not measured.
    """
    rows = raw.rename(columns=lambda name: str(name).replace(" ", "_"))
    rows = rows.dropna().drop_duplicates()
    rows = rows[rows["mean_radius"] > 0]
    return rows.drop(columns="target").assign(**{LABEL: rows["target"] == 0})


def split(rows: pd.DataFrame, side: Side, test_share: float) -> pd.DataFrame:
    """Return the rows of one side; about `test_share` (0 to 1) of all are on the test side.

    A hash of its measurements puts a row on its side, so nothing but the row itself decides.
    With positions or a random state instead, one new row would deal all others anew, and
    rows that a model was trained on would turn up in the test of the next. The label is
    left out: correcting it does not move the row.
    """
    in_test = _hashed(features(rows)) < test_share
    return rows[in_test if side == "test" else ~in_test]


def features(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the measurements alone."""
    return rows.drop(columns=LABEL)


def _hashed(measurements: pd.DataFrame) -> NDArray[np.float64]:
    """Return a number for each row, even over 0 to 1 and the same on every machine."""
    # Equal rows have equal bytes: in one byte order, and with -0.0 as 0.0.
    values = measurements.to_numpy(dtype="<f8") + 0.0
    digests = (blake2b(row.tobytes(), digest_size=8).digest() for row in values)
    return np.array([int.from_bytes(digest) / 2**64 for digest in digests], dtype=np.float64)
