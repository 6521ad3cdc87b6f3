"""Scores and report, on predictions small enough to count by hand."""

from __future__ import annotations

import pandas as pd
from classifiers.scores import Scores, report, score


def test_predictions_are_scored() -> None:
    predictions = pd.DataFrame(
        {
            "probability": [0.9, 0.5, 0.4, 0.6, 0.1],
            "truth": [True, True, True, False, False],
        }
    )
    # Of the six pairs of a malignant and a benign tumour, two are in the wrong order.
    assert score(predictions) == Scores(
        rows=5, accuracy=3 / 5, roc_auc=4 / 6, missed=1, false_alarms=1
    )


def test_the_report_names_the_best_model_and_lists_it_first() -> None:
    close = Scores(rows=200, accuracy=0.985, roc_auc=0.99, missed=2, false_alarms=1)
    best = Scores(rows=200, accuracy=0.985, roc_auc=0.998, missed=1, false_alarms=2)
    worst = Scores(rows=200, accuracy=0.9, roc_auc=0.999, missed=10, false_alarms=10)
    text = report({"a": close, "b": worst, "c": best})
    assert "Of 3 models, **c** is the most accurate: 98.5% of 200 tumours" in text
    assert text.splitlines()[-3:] == [
        "| c | 98.5% | 0.9980 | 1 | 2 |",
        "| a | 98.5% | 0.9900 | 2 | 1 |",
        "| b | 90.0% | 0.9990 | 10 | 10 |",
    ]
