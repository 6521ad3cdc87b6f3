"""Tasks have the ids and paths that the published releases gave them.

`vectors.json` has, for each case of each rule in `programs`, what the releases gave, and which of
them, oldest first. Where they differ, the 0.1 series decides; `DIFFERENCES` has the cases in
which we decided otherwise, and why.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from compatibility.releases import Outcome, describe

VECTORS: dict[str, dict[str, list[dict[str, Any]]]] = json.loads(
    Path(__file__).with_name("vectors.json").read_text(encoding="utf-8")
)

CASES = [(rule, case) for rule, cases in VECTORS.items() for case in cases]

DIFFERENCES = {
    ("collections", "a plain set"): "a plain set has no order, and so no place in an id",
    ("collections", "a plain frozen set"): "a plain set has no order, and so no place in an id",
    ("models", "a model at its compat default"): "whatever equals its compat default is left out",
    ("models", "a set at its compat default"): "whatever equals its compat default is left out",
    ("tasks", "a task at its compat default"): "whatever equals its compat default is left out",
    ("tasks", "a generic input itself"): "a parametrized generic type has no name of its own",
    ("functions", "a note"): "a function's parameters may be marked as a class's fields",
    ("paths", "plain attributes"): "they say where the output is as properties do",
}


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Outcome]]:
    return describe(sys.executable, home=tmp_path_factory.mktemp("home"))


@pytest.mark.parametrize(("rule", "case"), [key for key in CASES if key not in DIFFERENCES])
def test_a_published_id_and_path_hold(
    rule: str, case: str, ours: dict[str, dict[str, Outcome]]
) -> None:
    first = VECTORS[rule][case][0]
    assert ours[rule][case] == {"id": first["id"], "uri": first["uri"]}


@pytest.mark.parametrize(("rule", "case"), DIFFERENCES)
def test_a_decision_against_the_releases_is_still_one(
    rule: str, case: str, ours: dict[str, dict[str, Outcome]]
) -> None:
    first = VECTORS[rule][case][0]
    assert ours[rule][case] != {"id": first["id"], "uri": first["uri"]}


def test_every_case_has_a_vector_unless_no_release_can_make_it(
    ours: dict[str, dict[str, Outcome]],
) -> None:
    cases = {(rule, case) for rule, outcomes in ours.items() for case in outcomes}
    assert cases - set(CASES) == {
        ("tasks", "a generic type itself"),
        ("defaults", "nothing for an int"),
    }
