"""`stardag targets` on real roots, against a real server."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from s3_server import S3Server, request, running

from stardag.cli.targets.garbage import delete
from stardag.cli.targets.roots import configured_roots, objects_below
from stardag.target import TargetFactory, target_factory_provider
from stardag.v1.admin_service_pb2 import PurgeBuildsRequest

from .conftest import STARDAG, Workplace
from .test_reports import client_of

GONE = "fedc0123-1111-5222-9333-444455556666"
OUTPUT = f"number/fe/dc/{GONE}.json"
MONTH_S = 30 * 86400
NONE = {"spared": 0, "deleted": 0}


@pytest.fixture(scope="module")
def s3_server() -> Iterator[S3Server]:
    with running() as server:
        yield server


def stray(workplace: Workplace, path: str, age_s: float = MONTH_S) -> Path:
    """Make a file in the target root that no task refers to."""
    file = workplace.directory / "targets" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("stray")
    written = file.stat().st_mtime - age_s
    os.utime(file, (written, written))
    return file


def outputs(workplace: Workplace) -> set[Path]:
    return {path for path in (workplace.directory / "targets").rglob("*") if path.is_file()}


def gc_with_input(workplace: Workplace, text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(STARDAG), "targets", "gc", "--delete"],
        env=workplace.settings(),
        cwd=workplace.directory,
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


def test_garbage_is_shown_and_deleted_once_its_number_is_confirmed(workplace: Workplace) -> None:
    assert workplace.build("small").status == "completed"
    made = outputs(workplace)
    left_alone = {stray(workplace, "raw.csv"), stray(workplace, OUTPUT + ".new", age_s=86400)}
    outside = workplace.directory / "outside" / "fe" / "dc"
    outside.mkdir(parents=True)
    (outside / f"{GONE}.json").touch()
    (workplace.directory / "targets" / "link").symlink_to(outside.parent.parent)
    garbage = {stray(workplace, OUTPUT), stray(workplace, f"number/fe/dc/{GONE}/part")}

    shown = workplace.read("targets", "gc", "--older-than", "7d")
    assert {each["uri"] for each in shown["garbage"]} == {str(path) for path in garbage}
    assert {each["task_id"] for each in shown["garbage"]} == {GONE}
    assert shown["counts"] == {"garbage": 2, "kept": 4, "young": 1, "other": 1, **NONE}
    assert outputs(workplace) >= made | left_alone | garbage

    refused = gc_with_input(workplace, "3\n")
    assert refused.returncode == 1
    assert "2 objects (10 bytes) that no task of the workspace 'default' refers" in refused.stderr
    assert outputs(workplace) >= garbage

    assert gc_with_input(workplace, "2\n").returncode == 0
    assert outputs(workplace) == made | left_alone
    assert (outside / f"{GONE}.json").exists()
    assert workplace.read("targets", "gc", "--delete", "--yes")["counts"]["garbage"] == 0


def test_garbage_in_s3_is_deleted(workplace: Workplace, s3_server: S3Server) -> None:
    s3 = s3_server.with_new_bucket()
    root = f"s3://{s3.bucket}/root"
    workplace.extra = {**s3.environment, "STARDAG_TARGET_ROOTS__DEFAULT": root}
    assert workplace.build("small").status == "completed"
    made = s3.keys()
    for key in (f"root/{OUTPUT}", "root/raw.csv", OUTPUT, f"roots/{OUTPUT}"):
        request(f"{s3.endpoint}/{s3.bucket}/{key}", "PUT", b"stray")
    listed = workplace.read("targets", "list")
    assert {each["uri"] for each in listed} == {
        f"s3://{s3.bucket}/{key}" for key in (*made, f"root/{OUTPUT}", "root/raw.csv")
    }
    assert workplace.read("targets", "gc")["counts"]["young"] == 1
    done = workplace.read("targets", "gc", "--older-than", "0s", "--delete", "--yes")
    assert done["counts"] == {
        "garbage": 1,
        "kept": 4,
        "young": 0,
        "other": 1,
        "spared": 0,
        "deleted": 1,
    }
    assert {*s3.keys()} == {*made, "root/raw.csv", OUTPUT, f"roots/{OUTPUT}"}


def test_nothing_is_deleted_where_garbage_can_not_be_told_from_what_is_needed(
    workplace: Workplace,
) -> None:
    file = stray(workplace, OUTPUT)
    command = ("targets", "gc", "--delete", "--yes")
    unknown = workplace.stardag(*command)
    assert (unknown.returncode, file.exists()) == (1, True)
    assert "the workspace 'default' knows none of the outputs in" in unknown.stderr
    assert "knows none" in workplace.read("targets", "gc")["obstacle"]

    assert workplace.build("small").status == "completed"
    workplace.extra = {"STARDAG_SERVER": "", "STARDAG_OFFLINE": "1"}
    assert workplace.build("broken").status == "failed"
    workplace.extra = {}
    waiting = workplace.stardag(*command)
    assert (waiting.returncode, file.exists()) == (1, True)
    assert "on this machine not delivered" in waiting.stderr

    synced = workplace.read("sync")
    assert synced["delivered"] > 0
    assert synced["remaining"] == 0
    assert (workplace.stardag(*command).returncode, file.exists()) == (0, False)


def test_what_a_kept_task_was_made_from_is_kept(workplace: Workplace) -> None:
    first, second = workplace.build("small"), workplace.build("small")
    assert (first.counts, second.counts) == ("4 completed", "1 reused")
    with client_of(workplace) as client:
        purge = PurgeBuildsRequest(filter=f'build_id = "{first.id}"')
        *_, last = client.admin.PurgeBuilds(purge)
    assert last.progress.tasks == 3, "the service has forgotten them"
    stray(workplace, OUTPUT)
    counts = workplace.read("targets", "gc", "--older-than", "0s")["counts"]
    assert counts == {"garbage": 1, "kept": 4, "young": 0, "other": 0, **NONE}


def test_what_was_registered_meanwhile_is_spared(workplace: Workplace) -> None:
    assert workplace.build("small").status == "completed"
    file = stray(workplace, OUTPUT)
    factory = TargetFactory({"default": workplace.directory / "targets"})
    with target_factory_provider.override(factory), client_of(workplace) as client:
        done = delete(client, list(objects_below(configured_roots(["default"]))))
    assert (done.deleted, done.spared, file.exists()) == (1, 4, False)


def test_a_lost_output_is_told_for_its_build_and_for_all(workplace: Workplace) -> None:
    first, second = workplace.build("small"), workplace.build("onward")
    assert (first.status, second.status) == ("completed", "completed")
    assert workplace.read("targets", "verify")["whole"] == 5
    (lost,) = (workplace.directory / "targets" / "after").rglob("*.json")
    lost.unlink()

    def verified(*build: str) -> tuple[int, Any]:
        done = workplace.stardag("targets", "verify", *build, "--json")
        return done.returncode, json.loads(done.stdout)

    assert verified(first.id)[0] == 0
    for build in ((), ("latest",), (second.id,)):
        code, found = verified(*build)
        (problem,) = found["problems"]
        assert (code, problem["output_uri"], problem["problem"]) == (1, str(lost), "missing")
    assert verified("latest")[1]["whole"] == 1
