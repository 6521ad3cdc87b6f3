"""Both forms are one pipeline: what it makes, what it makes again, and what it never does."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias

import pandas as pd
import pytest
from classifiers import class_form, data, decorator_form
from classifiers.models import GradientBoosting, LogisticRegression, Model, RandomForest, grid

import stardag as sd
from stardag.testing import BuildRecord

Comparison: TypeAlias = Callable[[Iterable[Model]], sd.AutoTask[str]]

logistic, forest = LogisticRegression(), RandomForest(trees=5)


@pytest.fixture(params=[decorator_form, class_form], ids=["decorators", "classes"])
def comparison(request: pytest.FixtureRequest, targets: Path) -> Comparison:
    return request.param.comparison


def build(task: sd.BaseTask) -> str:
    """Build, and return how many tasks ended how."""
    summary = sd.build(task)
    summary.raise_for_status()
    return str(summary.counts)


def files(root: Path) -> set[Path]:
    return {path for path in root.rglob("*") if path.is_file()}


def types(paths: set[Path], root: Path) -> Counter[str]:
    """Return how many outputs there are of each task type, both forms' names in lower case."""
    return Counter(path.relative_to(root).parts[2].lower() for path in paths)


def test_the_first_build_makes_every_task_once(comparison: Comparison, targets: Path) -> None:
    assert build(comparison([logistic, forest])) == "11 completed"
    once, twice = ["load", "clean", "report"], ["split", "train", "predict", "score"]
    assert types(files(targets), targets) == dict.fromkeys(once, 1) | dict.fromkeys(twice, 2)


def test_the_second_build_reuses_everything(comparison: Comparison, targets: Path) -> None:
    build(comparison([logistic, forest]))
    made = {path: path.stat().st_mtime_ns for path in files(targets)}

    assert build(comparison([logistic, forest])) == "1 reused"
    assert {path: path.stat().st_mtime_ns for path in files(targets)} == made


def test_a_changed_hyper_parameter_reruns_what_depends_on_it_alone(
    comparison: Comparison, targets: Path
) -> None:
    build(comparison([logistic, forest]))
    before = files(targets)

    assert build(comparison([logistic, RandomForest(trees=6)])) == "4 completed, 3 reused"
    new = types(files(targets) - before, targets)
    assert new == dict.fromkeys(["train", "predict", "score", "report"], 1)


def test_what_reruns_is_named_by_its_parameters(targets: Path) -> None:
    build(decorator_form.comparison([logistic, forest]))
    before = files(targets)
    changed = decorator_form.comparison([logistic, RandomForest(trees=6)])
    build(changed)

    form = decorator_form
    rows = form.clean(raw=form.load())
    classifier = form.train(model=RandomForest(trees=6), rows=form.split(rows=rows, side="train"))
    predictions = form.predict(classifier=classifier, rows=form.split(rows=rows, side="test"))
    score = form.score(predictions=predictions)
    made = {task.output_uri() for task in (classifier, predictions, score, changed)}
    assert {str(path) for path in files(targets) - before} == made


def test_a_removed_model_needs_a_new_report_and_nothing_else(comparison: Comparison) -> None:
    build(comparison([logistic, forest]))
    assert build(comparison([logistic])) == "1 completed, 1 reused"


def test_a_lost_output_is_made_again_from_what_is_there(
    comparison: Comparison, targets: Path
) -> None:
    report = comparison([logistic])
    build(report)
    text = report.load()
    Path(report.output().uri).unlink()
    [classifier] = targets.rglob("*.joblib")
    classifier.unlink()

    assert build(report) == "1 completed, 1 reused"
    assert report.load() == text


def test_both_forms_give_the_same_report(targets: Path) -> None:
    models = [logistic, forest, GradientBoosting()]
    reports = [form.comparison(models) for form in (decorator_form, class_form)]
    for report in reports:
        build(report)
    assert reports[0].load() == reports[1].load()
    assert reports[0].id != reports[1].id


def test_outputs_are_stored_by_their_types(comparison: Comparison, targets: Path) -> None:
    build(comparison([forest]))
    formats = {path.relative_to(targets).parts[2].lower(): path.suffix for path in files(targets)}
    assert formats == {
        **dict.fromkeys(["load", "clean", "split", "predict"], ".parquet"),
        "train": ".joblib",
        "score": ".json",
        "report": ".md",
    }


def test_a_stored_classifier_predicts_as_the_trained_one(targets: Path) -> None:
    rows = decorator_form.clean(raw=decorator_form.load())
    classifier = decorator_form.train(model=forest, rows=rows)
    build(classifier)
    trained = decorator_form.train.call(forest, rows.load())
    measurements = data.features(rows.load())
    expected = trained.predict_proba(measurements)
    assert (classifier.load().predict_proba(measurements) == expected).all()


@pytest.mark.parametrize(
    ("changed", "models"),
    [
        (grid(seed=1), {RandomForest, GradientBoosting}),
        (grid(trees=300), {RandomForest}),
    ],
)
def test_a_parameter_of_the_grid_changes_the_models_it_concerns(
    changed: list[Model], models: set[type[Model]]
) -> None:
    assert {type(model) for model in set(changed) - set(grid())} == models


def test_chance_is_a_parameter(targets: Path) -> None:
    def probabilities(seed: int) -> pd.Series[float]:
        rows = decorator_form.clean(raw=decorator_form.load())
        classifier = decorator_form.train(model=RandomForest(trees=5, seed=seed), rows=rows)
        predictions = decorator_form.predict(classifier=classifier, rows=rows)
        build(predictions)
        return predictions.load()["probability"]

    first = probabilities(seed=1)
    assert not first.equals(probabilities(seed=2))
    shutil.rmtree(targets)
    assert first.equals(probabilities(seed=1))


def test_every_model_tells_most_tumours_apart(targets: Path) -> None:
    candidates = grid(trees=50)
    report = decorator_form.comparison(candidates)
    build(report)
    rows = [line.split("|") for line in report.load().splitlines() if "%" in line and "|" in line]
    accuracies = {cells[1].strip(): float(cells[2].strip(" %")) for cells in rows}
    assert accuracies.keys() == {str(model) for model in candidates}
    assert all(90 < accuracy < 100 for accuracy in accuracies.values())


def test_the_report_is_shown_with_its_task(
    comparison: Comparison, build_record: BuildRecord
) -> None:
    report = comparison([logistic])
    build(report)
    [asset] = [detail[0] for name, _, *detail in build_record.events if name == "shown"]
    assert asset == sd.MarkdownAsset("report", report.load())
