"""How good the predictions are, for programs (`Scores`) and for people (`report`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pandas as pd
from sklearn import metrics

from classifiers import data

if TYPE_CHECKING:
    from collections.abc import Mapping

    from classifiers.classifier import Classifier


@dataclass(frozen=True, slots=True)
class Scores:
    """What one classifier got right on rows that it had not seen."""

    rows: int
    accuracy: float
    """Share of the rows that it got right."""
    roc_auc: float
    """Probability that it finds a malignant tumour more suspicious than a benign one."""
    missed: int
    """Malignant tumours taken for benign ones."""
    false_alarms: int
    """Benign tumours taken for malignant ones."""


def predict(classifier: Classifier, rows: pd.DataFrame) -> pd.DataFrame:
    """Return for each row the `probability` of a malignant tumour, and the `truth`."""
    probability = classifier.predict_proba(data.features(rows))[:, 1]
    return pd.DataFrame({"probability": probability, "truth": rows[data.LABEL]})


def score(predictions: pd.DataFrame) -> Scores:
    """Return the scores of predictions; from a probability of one half it means malignant."""
    truth = predictions["truth"]
    taken = predictions["probability"] >= 0.5
    # scikit-learn has no stubs
    roc_auc = cast("Any", metrics.roc_auc_score(truth, predictions["probability"]))
    return Scores(
        rows=len(predictions),
        accuracy=float((taken == truth).mean()),
        roc_auc=float(roc_auc),
        missed=int((truth & ~taken).sum()),
        false_alarms=int((taken & ~truth).sum()),
    )


def report(scores: Mapping[str, Scores]) -> str:
    """Return a Markdown report on the scores by model, the best model first.

    The most accurate is the best; where that ties, the one with the higher ROC AUC.
    """
    best_first = sorted(scores.items(), key=lambda item: (-item[1].accuracy, -item[1].roc_auc))
    best, its = best_first[0]
    lines = [
        "# Benign or malignant?",
        "",
        f"Of {len(scores)} models, **{best}** is the most accurate: {its.accuracy:.1%} of "
        f"{its.rows} tumours that it had not seen.",
        "",
        "| model | accuracy | ROC AUC | missed | false alarms |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {model} | {s.accuracy:.1%} | {s.roc_auc:.4f} | {s.missed} | {s.false_alarms} |"
        for model, s in best_first
    ]
    return "\n".join(lines) + "\n"
