"""The models that are compared: their hyper-parameters, and how they are trained.

`Model` begins a family: a task parameter declared as `SubClass[Model]` takes an object of
any class below, and of any that you add. It is part of the task's id, with all its fields.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, cast

from pydantic import ConfigDict, PositiveFloat, PositiveInt
from sklearn import pipeline
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression as LogisticRegressionClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

import stardag as sd
from classifiers import data

if TYPE_CHECKING:
    import pandas as pd

    from classifiers.classifier import Classifier

sd.namespace("classifiers.models", __name__)


class Model(sd.PolymorphicRoot, ABC):
    """A kind of classifier and its hyper-parameters: all that decides how it is trained."""

    model_config = ConfigDict(frozen=True)
    title: ClassVar[str]

    @abstractmethod
    def classifier(self) -> object:
        """Return scikit-learn's classifier, untrained."""

    def __str__(self) -> str:
        values = ", ".join(f"{name}={getattr(self, name)}" for name in type(self).model_fields)
        return f"{self.title} ({values})"


def _on_one_scale(classifier: object) -> object:
    """Return the classifier behind a step that brings all measurements to one scale."""
    return pipeline.make_pipeline(StandardScaler(), classifier)


class LogisticRegression(Model):
    title = "Logistic regression"
    c: PositiveFloat = 1.0
    """Inverse of the regularization's strength."""

    def classifier(self) -> object:
        return _on_one_scale(LogisticRegressionClassifier(C=self.c, max_iter=1000))


class NearestNeighbours(Model):
    title = "Nearest neighbours"
    k: PositiveInt = 5

    def classifier(self) -> object:
        return _on_one_scale(KNeighborsClassifier(n_neighbors=self.k))


class RandomForest(Model):
    title = "Random forest"
    trees: PositiveInt = 200
    depth: PositiveInt | None = None
    """Most levels of a tree; unlimited if None."""
    seed: int = 0

    def classifier(self) -> object:
        return RandomForestClassifier(
            n_estimators=self.trees, max_depth=self.depth, random_state=self.seed
        )


class GradientBoosting(Model):
    title = "Gradient boosting"
    rate: PositiveFloat = 0.1
    """Learning rate."""
    seed: int = 0

    def classifier(self) -> object:
        return GradientBoostingClassifier(learning_rate=self.rate, random_state=self.seed)


def grid(trees: int = 200, seed: int = 0) -> list[Model]:
    """Return the models to compare; `trees` is the size of the random forests."""
    return [
        *(LogisticRegression(c=c) for c in (0.1, 1.0, 10.0)),
        *(NearestNeighbours(k=k) for k in (5, 15)),
        *(RandomForest(trees=trees, depth=depth, seed=seed) for depth in (3, None)),
        *(GradientBoosting(rate=rate, seed=seed) for rate in (0.05, 0.2)),
    ]


def train(model: Model, rows: pd.DataFrame) -> Classifier:
    """Return the model's classifier, trained on the rows."""
    # scikit-learn has no stubs, so that it fits the protocol can only be claimed.
    classifier = cast("Classifier", model.classifier())
    classifier.fit(data.features(rows), rows[data.LABEL])
    return classifier
