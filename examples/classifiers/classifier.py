"""A trained classifier, and how it is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Protocol, cast

import joblib

import stardag as sd

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


class Classifier(Protocol):
    """What scikit-learn's classifiers have in common, as far as it is used here."""

    def fit(self, X: pd.DataFrame, y: pd.Series[bool]) -> object:
        """Learn from measurements and their labels."""
        ...

    def predict_proba(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Return a row for each of X: the probabilities of benign and of malignant."""
        ...


class JoblibSerializer:
    """Stores a trained classifier as joblib does, which is a pickle.

    Stardag never pickles by itself: loading a pickle runs what is in it, so that has to be
    asked for, here by the type `Trained`. Load such outputs only from a target root that
    nobody else can write to.
    """

    def dump(self, obj: Classifier, target: sd.FileSystemTarget[Any]) -> None:
        """Write the classifier."""
        with target.open("wb") as file:
            joblib.dump(obj, file)

    def load(self, target: sd.FileSystemTarget[Any]) -> Classifier:
        """Read the classifier."""
        with target.open("rb") as file:
            return cast("Classifier", joblib.load(file))

    def get_default_extension(self) -> str:
        """Return `joblib`."""
        return "joblib"


Trained = Annotated[Classifier, JoblibSerializer()]
"""A trained classifier, as the output of a task."""
