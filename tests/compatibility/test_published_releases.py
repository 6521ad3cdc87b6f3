"""The published releases themselves, run beside ours: on the programs, and on tasks at random."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest
from compatibility.releases import RELEASES, CannotInstallError, describe, install
from compatibility.test_published_ids import VECTORS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SEED = int(os.environ.get("SWEEP_SEED") or random.randrange(2**32))
"""What the tasks at random are made from; set the variable to make those of a failure again."""


@pytest.fixture(scope="module", params=RELEASES)
def release(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """Return a release's version and Python; without a package index, skip, or fail in CI."""
    try:
        return request.param, install(request.param, tmp_path_factory.mktemp("release"))
    except CannotInstallError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"can't be installed: {error}")


def test_a_release_gives_the_ids_and_paths_on_record(
    release: tuple[str, Path], tmp_path: Path
) -> None:
    version, python = release
    found = describe(python, home=tmp_path)
    for rule, cases in VECTORS.items():
        for case, outcomes in cases.items():
            for outcome in outcomes:
                if version in outcome["releases"]:
                    expected = {"id": outcome["id"], "uri": outcome["uri"]}
                    assert found[rule][case] == expected, (rule, case)


def test_tasks_at_random_have_the_same_ids_and_paths_under_a_release_and_ours(
    release: tuple[str, Path], tmp_path: Path
) -> None:
    print(f"SWEEP_SEED={SEED}")
    version, python = release
    theirs = describe(python, "--seed", str(SEED), home=tmp_path)["sweep"]
    ours = describe(sys.executable, "--seed", str(SEED), home=tmp_path)["sweep"]
    different = {case: (ours[case], theirs[case]) for case in theirs if ours[case] != theirs[case]}
    assert not different, f"against {version}, with SWEEP_SEED={SEED}"
