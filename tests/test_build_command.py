"""`stardag build` with a server: it is a build like any other."""

from __future__ import annotations

import shutil

from .conftest import PIPELINES, Workplace


def test_a_build_from_the_prompt_is_tracked_and_a_dry_run_is_not(workplace: Workplace) -> None:
    shutil.copy(PIPELINES, workplace.directory)
    planned = workplace.read("build", "pipelines:small", "--dry-run")
    assert planned["counts"] == {"run": 4, "reuse": 0}
    assert {task["reason"] for task in planned["tasks"]} == {
        "its output is missing; no build has had a task of its type"
    }
    assert workplace.read("builds", "list") == []
    built = workplace.read("build", "pipelines:small", "--max-workers", "2")
    (recorded,) = workplace.read("builds", "list")
    assert recorded["build_id"] == built["build_id"]
    assert "stardag build pipelines:small" in recorded["command"]
    assert workplace.read("targets", "verify", built["build_id"])["whole"] == 4


def test_a_dry_run_tells_from_history_why_a_task_would_run(workplace: Workplace) -> None:
    shutil.copy(PIPELINES, workplace.directory)
    broken = workplace.build("broken").id
    planned = workplace.read("build", "pipelines:broken", "--dry-run")
    reasons = {task["task"].partition("(")[0]: task["reason"] for task in planned["tasks"]}
    assert reasons["number"] == f"its output is there; build {broken} made it"
    assert f"it failed in build {broken}: ValueError: broken on purpose" in reasons["failing"]
    assert f"no build has made it; in build {broken} it is SKIPPED" in reasons["after"]
    new = workplace.read("build", "pipelines:number", "--param", "n=1234", "--dry-run")
    assert "its id is new: no build has had it" in new["tasks"][0]["reason"]
    shutil.rmtree(workplace.directory / "targets")
    gone = workplace.read("build", "pipelines:number", "--param", "n=1", "--dry-run")
    assert gone["tasks"][0]["reason"] == f"its output is missing; build {broken} made it"


LARGE = """
import stardag as sd

@sd.task
def failing(text: str) -> int:
    raise ValueError("on purpose")

def several():
    return [failing(text=str(n) * 100_000) for n in range(10, 30)]
"""


def test_a_dry_run_knows_of_tasks_that_are_too_large_for_one_answer(workplace: Workplace) -> None:
    (workplace.directory / "large.py").write_text(LARGE)
    assert workplace.stardag("build", "large:several").returncode == 1
    (build,) = workplace.read("builds", "list")
    planned = workplace.read("build", "large:several", "--dry-run")
    assert len(planned["tasks"]) == 20
    assert all(f"in build {build['build_id']}" in task["reason"] for task in planned["tasks"])


def test_a_dry_run_does_without_the_service(workplace: Workplace) -> None:
    shutil.copy(PIPELINES, workplace.directory)
    workplace.extra["STARDAG_SERVER"] = "127.0.0.1:1"
    planned = workplace.stardag("build", "pipelines:number", "--param", "n=1", "--dry-run")
    assert planned.returncode == 0
    assert "what was built before is not known" in planned.stderr
    assert "its output is missing" in planned.stdout
