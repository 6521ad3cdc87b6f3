"""`stardag build` with a server: it is a build like any other."""

from __future__ import annotations

import shutil

from .conftest import PIPELINES, Workplace


def test_a_build_from_the_prompt_is_tracked_and_a_dry_run_is_not(workplace: Workplace) -> None:
    shutil.copy(PIPELINES, workplace.directory)
    planned = workplace.read("build", "pipelines:small", "--dry-run")
    assert planned["counts"] == {"run": 4, "reuse": 0}
    assert workplace.read("builds", "list") == []
    built = workplace.read("build", "pipelines:small", "--max-workers", "2")
    (recorded,) = workplace.read("builds", "list")
    assert recorded["build_id"] == built["build_id"]
    assert "stardag build pipelines:small" in recorded["command"]
    assert workplace.read("targets", "verify", built["build_id"])["whole"] == 4
