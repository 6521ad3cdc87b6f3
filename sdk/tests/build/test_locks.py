"""Builds at once on the same tasks: each task runs once, whoever dies."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import worker_tasks as tasks

import stardag as sd
from stardag.build import BuildSummary, Lease
from stardag.testing import BuildRecord

HERE = Path(__file__).parent


@pytest.fixture
def locks(isolated: Path) -> sd.FileLocks:
    return sd.FileLocks(isolated / "locks")


# The contract of every source of leases


def test_a_lease_is_held_by_one(locks: sd.FileLocks) -> None:
    lease = locks.acquire("name")
    assert lease is not None
    assert locks.acquire("name") is None
    assert locks.acquire("other") is not None
    lease.release()
    assert locks.acquire("name") is not None


def test_of_many_who_ask_at_once_one_gets_it(locks: sd.FileLocks) -> None:
    held: list[Lease] = []
    most = 0

    def ask() -> None:
        nonlocal most
        for _ in range(200):
            if (lease := locks.acquire("contended")) is not None:
                held.append(lease)
                most = max(most, len(held))
                held.remove(lease)
                lease.release()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_nothing_is_left_of_a_lease(locks: sd.FileLocks, isolated: Path) -> None:
    lease = locks.acquire("name")
    assert lease is not None
    lease.release()
    assert not [path for path in (isolated / "locks").rglob("*") if path.is_file()]


HOLD = """
import stardag as sd, time
lease = sd.FileLocks("locks").acquire("name")
print(lease is not None, flush=True)
time.sleep(60)
"""


def test_the_lease_of_one_who_dies_can_be_had(locks: sd.FileLocks) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "True\n"
    assert locks.acquire("name") is None
    holder.kill()
    holder.communicate()
    assert locks.acquire("name") is not None


# Builds


def build_aio(*args: Any, **options: Any) -> BuildSummary:
    return asyncio.run(sd.build_aio(*args, **options))


@pytest.mark.parametrize("build", [sd.build, sd.build_sequential, build_aio])
def test_a_build_alone_takes_its_leases_and_gives_them_back(
    build: Callable[..., BuildSummary], locks: sd.FileLocks, isolated: Path
) -> None:
    root = tasks.total(
        parts=[tasks.number(n=1), tasks.slow_number(n=2), tasks.Chooses(n=3), tasks.ChoosesAio(n=3)]
    )
    assert build(root, lock=locks).ok
    assert not [path for path in (isolated / "locks").rglob("*") if path.is_file()]


RUN = """
import sys
import stardag as sd, worker_tasks as tasks

root = tasks.total(parts=[tasks.Counted(n=n) for n in range(30)])
summary = sd.build(root, lock=sd.FileLocks("locks"), max_workers=3)
summary.raise_for_status()
print(summary.counts)
"""


WAIT = """
import stardag as sd, worker_tasks as tasks
sd.build(tasks.WaitsForGo(), lock=sd.FileLocks("locks")).raise_for_status()
"""


def start(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(HERE)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_of_builds_at_once_each_task_is_run_by_one() -> None:
    builds = [start(RUN) for _ in range(3)]
    for process in builds:
        process.communicate()
        assert process.returncode == 0
    assert sorted(Path("counted").read_text().split()) == sorted(str(n) for n in range(30))


def test_a_build_goes_on_when_another_dies() -> None:
    first = start(WAIT)
    wait_for("waiting")
    second = start(WAIT)
    first.kill()
    first.communicate()
    Path("go").touch()
    second.communicate(timeout=60)
    assert second.returncode == 0
    assert tasks.WaitsForGo().load() == 1


def wait_for(path: str) -> None:
    for _ in range(3000):
        if Path(path).exists():
            return
        threading.Event().wait(0.01)
    raise AssertionError(f"{path} did not come")


def held_elsewhere(locks: sd.FileLocks, task: sd.BaseTask) -> Lease:
    lease = locks.acquire(str(task.id))
    assert lease is not None
    return lease


def test_what_another_build_makes_meanwhile_is_reused(
    locks: sd.FileLocks, build_record: BuildRecord
) -> None:
    task = tasks.number(n=1)
    lease = held_elsewhere(locks, task)

    def make() -> None:
        task.output().save(1)
        lease.release()

    threading.Timer(0.2, make).start()
    summary = sd.build(tasks.total(parts=[task]), lock=locks)
    assert (summary.counts.completed, summary.counts.reused) == (1, 1)
    names = [name for name, subject, *_ in build_record.events if subject == task]
    assert names == ["pending", "blocked", "reused"]


def test_what_another_build_fails_to_make_is_made(
    locks: sd.FileLocks, build_record: BuildRecord
) -> None:
    task = tasks.number(n=1)
    lease = held_elsewhere(locks, task)
    threading.Timer(0.2, lease.release).start()
    assert sd.build(task, lock=locks).counts.completed == 1
    names = [name for name, subject, *_ in build_record.events if subject == task]
    assert names == ["pending", "blocked", "started", "completed"]


def test_a_build_may_leave_the_rest_to_the_others(
    locks: sd.FileLocks, build_record: BuildRecord
) -> None:
    task = tasks.number(n=1)
    held_elsewhere(locks, task)
    root = tasks.total(parts=[task, tasks.number(n=2)])
    summary = sd.build(root, lock=locks, exit_early=True)
    assert summary.status == build_record.ended == "exited_early"
    assert (summary.counts.completed, summary.counts.cancelled) == (1, 2)
    assert tasks.number(n=2).complete()


def test_a_failure_gives_the_lease_back(locks: sd.FileLocks) -> None:
    assert not sd.build(tasks.failing(n=1), lock=locks).ok
    assert locks.acquire(str(tasks.failing(n=1).id)) is not None


def test_an_interrupt_gives_the_lease_back(locks: sd.FileLocks) -> None:
    class Interrupting(sd.AutoTask[int]):
        def run(self) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sd.build_sequential(Interrupting(), lock=locks)
    assert locks.acquire(str(Interrupting().id)) is not None


def test_a_place_for_locks_that_can_not_be_used_is_a_clear_failure(isolated: Path) -> None:
    (isolated / "file").touch()
    (failed,) = sd.build(tasks.number(n=1), lock=sd.FileLocks(isolated / "file")).failures
    assert isinstance(failed.error, OSError)
    assert str(isolated / "file") in str(failed.error)


def test_retries_are_made_under_a_new_lease(locks: sd.FileLocks) -> None:
    assert sd.build(tasks.Flaky(failures=2), lock=locks).ok


def test_processes_run_under_leases_too(locks: sd.FileLocks) -> None:
    lease = held_elsewhere(locks, tasks.number(n=1))
    threading.Timer(0.2, lease.release).start()
    root = tasks.total(parts=[tasks.number(n=1), tasks.Chooses(n=5)])
    assert sd.build(root, lock=locks, executor=sd.ProcessExecutor(2)).ok
