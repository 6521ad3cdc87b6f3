"""The pipeline as classes, for tasks that need more than a function: the same DAG.

A class says itself what `@sd.task` reads from a function's parameters and return type:

- its fields are the parameters; `sd.TaskLoads[T]` is any task whose output loads as T;
- `requires` names the tasks that must be complete before it runs;
- `run` loads what it needs and saves what it made;
- `AutoTask[T]` gives it a place and a serializer, by its id and by T.

Methods, properties and base classes are then free to use: `Report` has a property that
gives its file another extension.
"""

from collections.abc import Iterable

import pandas as pd

import stardag as sd
from classifiers import data, models, scores
from classifiers.classifier import Trained
from classifiers.data import Side
from classifiers.models import Model

sd.namespace("classifiers.classes", __name__)


class Load(sd.AutoTask[pd.DataFrame]):
    def run(self) -> None:
        self.output().save(data.load())


class Clean(sd.AutoTask[pd.DataFrame]):
    raw: sd.TaskLoads[pd.DataFrame]

    def requires(self) -> sd.TaskStruct:
        return self.raw

    def run(self) -> None:
        self.output().save(data.clean(self.raw.load()))


class Split(sd.AutoTask[pd.DataFrame]):
    rows: sd.TaskLoads[pd.DataFrame]
    side: Side
    test_share: float = 0.25

    def requires(self) -> sd.TaskStruct:
        return self.rows

    def run(self) -> None:
        self.output().save(data.split(self.rows.load(), self.side, self.test_share))


class Train(sd.AutoTask[Trained]):
    model: sd.SubClass[Model]
    rows: sd.TaskLoads[pd.DataFrame]

    def requires(self) -> sd.TaskStruct:
        return self.rows

    def run(self) -> None:
        self.output().save(models.train(self.model, self.rows.load()))


class Predict(sd.AutoTask[pd.DataFrame]):
    classifier: sd.TaskLoads[Trained]
    rows: sd.TaskLoads[pd.DataFrame]

    def requires(self) -> sd.TaskStruct:
        return self.classifier, self.rows

    def run(self) -> None:
        self.output().save(scores.predict(self.classifier.load(), self.rows.load()))


class Score(sd.AutoTask[scores.Scores]):
    predictions: sd.TaskLoads[pd.DataFrame]

    def requires(self) -> sd.TaskStruct:
        return self.predictions

    def run(self) -> None:
        self.output().save(scores.score(self.predictions.load()))


class Report(sd.AutoTask[str]):
    scores_of: dict[str, sd.TaskLoads[scores.Scores]]

    @property
    def _relpath_extension(self) -> str:
        return "md"

    def requires(self) -> sd.TaskStruct:
        return self.scores_of

    def run(self) -> None:
        loaded = {model: task.load() for model, task in self.scores_of.items()}
        self.output().save(scores.report(loaded))

    def registry_assets(self) -> list[sd.Asset]:
        return [sd.MarkdownAsset("report", self.load())]


def comparison(candidates: Iterable[Model]) -> Report:
    """Return the report on these models: the whole DAG, as one task."""
    rows = Clean(raw=Load())
    training, test = Split(rows=rows, side="train"), Split(rows=rows, side="test")

    def scored(model: Model) -> Score:
        classifier = Train(model=model, rows=training)
        return Score(predictions=Predict(classifier=classifier, rows=test))

    return Report(scores_of={str(model): scored(model) for model in candidates})
