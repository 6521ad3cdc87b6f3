"""The pipeline as functions. Each `@sd.task` makes a task type of the function below it.

- Calling a task type computes nothing: `clean(raw=load())` describes the cleaned rows. The
  description hashes to an id, and the id gives the place of the output.
- `sd.Depends[T]` is given a task and hands the function what that task made, a T. Any other
  parameter is a plain value. Both are part of the id: other parameters, another output.
- The return type says how the output is stored: a data frame as Parquet, a dataclass as
  JSON, a text as it is, and what has no format of its own as you say (`classifier.Trained`).
- `sd.build(comparison(grid()))` makes what does not exist yet, from the bottom up. What does
  exist is never made again, whoever made it, and in whichever build.

`class_form.py` says the same with classes.
"""

from collections.abc import Iterable

import pandas as pd

import stardag as sd
from classifiers import data, models, scores
from classifiers.classifier import Trained
from classifiers.data import Side
from classifiers.models import Model
from classifiers.scores import Scores

# Task types are known by namespace and name: outputs and history use both.
sd.namespace("classifiers.decorators", __name__)


@sd.task
def load() -> pd.DataFrame:
    return data.load()


@sd.task
def clean(raw: sd.Depends[pd.DataFrame]) -> pd.DataFrame:
    return data.clean(raw)


@sd.task
def split(rows: sd.Depends[pd.DataFrame], side: Side, test_share: float = 0.25) -> pd.DataFrame:
    return data.split(rows, side, test_share)


@sd.task
def train(model: sd.SubClass[Model], rows: sd.Depends[pd.DataFrame]) -> Trained:
    return models.train(model, rows)


@sd.task
def predict(classifier: sd.Depends[Trained], rows: sd.Depends[pd.DataFrame]) -> pd.DataFrame:
    return scores.predict(classifier, rows)


@sd.task
def score(predictions: sd.Depends[pd.DataFrame]) -> Scores:
    return scores.score(predictions)


# Tasks may be nested in lists and dicts; the file's name ends in .md, and not in .txt.
@sd.task(relpath={"extension": "md"})
def report(scores_of: dict[str, sd.Depends[Scores]]) -> str:
    text = scores.report(scores_of)
    # Beside the output, which is a file: people see it with the task in the tracking service.
    sd.log_asset(sd.MarkdownAsset("report", text))
    return text


def comparison(candidates: Iterable[Model]) -> sd.AutoTask[str]:
    """Return the report on these models: the whole DAG, as one task.

    An ordinary function: composing tasks is calling them.
    """
    rows = clean(raw=load())
    training, test = split(rows=rows, side="train"), split(rows=rows, side="test")

    def scored(model: Model) -> sd.AutoTask[Scores]:
        classifier = train(model=model, rows=training)
        return score(predictions=predict(classifier=classifier, rows=test))

    return report(scores_of={str(model): scored(model) for model in candidates})
