"""Builds at once on the same tasks: each task runs once, whoever dies."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import worker_tasks as tasks
from server_process import ServerProcess

import stardag as sd
from stardag import client
from stardag.build import BuildSummary, Lease, LeaseSource
from stardag.config import get_config
from stardag.testing import BuildRecord
from stardag.v1.lease_pb2 import ConcurrencyLimit
from stardag.v1.lease_service_pb2 import (
    ListLeasesRequest,
    PutConcurrencyLimitRequest,
    RevokeLeaseRequest,
)

HERE = Path(__file__).parent


SOURCES = {"file": 'sd.FileLocks("locks")', "service": "sd.ServiceLocks()"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def served(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> ServerProcess:
    """A server that is configured, for leases; nothing is tracked."""
    monkeypatch.setenv("STARDAG_SERVER", server.address)
    monkeypatch.setenv("STARDAG_TOKEN_FILE", str(server.data_dir / "token"))
    get_config.cache_clear()
    return server


@pytest.fixture(params=[*SOURCES])
def source(request: pytest.FixtureRequest) -> str:
    """A source of leases, as a program of its own would make it."""
    if request.param == "service":
        request.getfixturevalue("served")
    return SOURCES[request.param]


@pytest.fixture
def locks(source: str) -> Iterator[LeaseSource]:
    locks: LeaseSource = eval(source)
    yield locks
    if isinstance(locks, sd.ServiceLocks):
        locks.close()


# The contract of every source of leases


def test_a_lease_is_held_by_one(locks: LeaseSource) -> None:
    lease = locks.acquire("name")
    assert lease is not None
    assert locks.acquire("name") is None
    assert locks.acquire("other") is not None
    lease.release()
    assert locks.acquire("name") is not None


def test_of_many_who_ask_at_once_one_gets_it(locks: LeaseSource) -> None:
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


def test_work_may_begin_under_a_lease_that_was_just_had(locks: LeaseSource) -> None:
    lease = locks.acquire("name")
    assert lease is not None and lease.lasts


def test_nothing_is_left_of_a_locked_file(isolated: Path) -> None:
    lease = sd.FileLocks("locks").acquire("name")
    assert lease is not None
    lease.release()
    assert not [path for path in (isolated / "locks").rglob("*") if path.is_file()]


HOLD = """
import stardag as sd, time
lease = {source}.acquire("name")
print(lease is not None, flush=True)
time.sleep(60)
"""


def test_the_lease_of_one_who_dies_can_be_had(locks: LeaseSource, source: str) -> None:
    holder = start(HOLD.format(source=source))
    assert holder.stdout is not None
    assert holder.stdout.readline() == "True\n"
    assert locks.acquire("name") is None
    holder.kill()
    holder.communicate()
    until(lambda: locks.acquire("name") is not None, "the lease")


# Builds


def build_aio(*args: Any, **options: Any) -> BuildSummary:
    return asyncio.run(sd.build_aio(*args, **options))


@pytest.mark.parametrize("build", [sd.build, sd.build_sequential, build_aio])
def test_a_build_alone_takes_its_leases_and_gives_them_back(
    build: Callable[..., BuildSummary], locks: LeaseSource, isolated: Path
) -> None:
    root = tasks.total(
        parts=[tasks.number(n=1), tasks.slow_number(n=2), tasks.Chooses(n=3), tasks.ChoosesAio(n=3)]
    )
    assert build(root, lock=locks).ok
    assert not [path for path in (isolated / "locks").rglob("*") if path.is_file()]
    assert locks.acquire(str(root.id)) is not None


RUN = """
import sys
import stardag as sd, worker_tasks as tasks

root = tasks.total(parts=[tasks.Counted(n=n) for n in range(30)])
summary = sd.build(root, lock={source}, max_workers=3)
summary.raise_for_status()
print(summary.counts)
"""


WAIT = """
import stardag as sd, worker_tasks as tasks
sd.build(tasks.WaitsForGo(), lock={source}).raise_for_status()
"""


def start(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(HERE)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_of_builds_at_once_each_task_is_run_by_one(source: str) -> None:
    builds = [start(RUN.format(source=source)) for _ in range(3)]
    for process in builds:
        process.communicate()
        assert process.returncode == 0
    assert sorted(Path("counted").read_text().split()) == sorted(str(n) for n in range(30))


def test_a_build_goes_on_when_another_dies(source: str) -> None:
    first = start(WAIT.format(source=source))
    until(Path("waiting").exists, "the first build")
    second = start(WAIT.format(source=source))
    first.kill()
    first.communicate()
    Path("go").touch()
    second.communicate(timeout=60)
    assert second.returncode == 0
    assert tasks.WaitsForGo().load() == 1


def until(happens: Callable[[], bool], what: str) -> None:
    for _ in range(3000):
        if happens():
            return
        threading.Event().wait(0.01)
    raise AssertionError(f"{what} did not come")


def held_elsewhere(locks: LeaseSource, task: sd.BaseTask) -> Lease:
    lease = locks.acquire(str(task.id))
    assert lease is not None
    return lease


def test_what_another_build_makes_meanwhile_is_reused(
    locks: LeaseSource, build_record: BuildRecord
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
    locks: LeaseSource, build_record: BuildRecord
) -> None:
    task = tasks.number(n=1)
    lease = held_elsewhere(locks, task)
    threading.Timer(0.2, lease.release).start()
    assert sd.build(task, lock=locks).counts.completed == 1
    events = [name for name, subject, *_ in build_record.events if subject == task]
    names = [name for name in events if name != "leased"]  # not every source has tokens
    assert names == ["pending", "blocked", "started", "completed"]


def test_a_build_may_leave_the_rest_to_the_others(
    locks: LeaseSource, build_record: BuildRecord
) -> None:
    task = tasks.number(n=1)
    held_elsewhere(locks, task)
    root = tasks.total(parts=[task, tasks.number(n=2)])
    summary = sd.build(root, lock=locks, exit_early=True)
    assert summary.status == build_record.ended == "exited_early"
    assert (summary.counts.completed, summary.counts.cancelled) == (1, 2)
    assert tasks.number(n=2).complete()


def test_a_failure_gives_the_lease_back(locks: LeaseSource) -> None:
    assert not sd.build(tasks.failing(n=1), lock=locks).ok
    assert locks.acquire(str(tasks.failing(n=1).id)) is not None


def test_an_interrupt_gives_the_lease_back(locks: LeaseSource) -> None:
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


def test_retries_are_made_under_a_new_lease(locks: LeaseSource) -> None:
    assert sd.build(tasks.Flaky(failures=2), lock=locks).ok


def test_processes_run_under_leases_too(locks: LeaseSource) -> None:
    lease = held_elsewhere(locks, tasks.number(n=1))
    threading.Timer(0.2, lease.release).start()
    root = tasks.total(parts=[tasks.number(n=1), tasks.Chooses(n=5)])
    assert sd.build(root, lock=locks, executor=sd.ProcessExecutor(2)).ok


# Leases of the service


def test_two_who_use_the_service_are_two_holders(served: ServerProcess) -> None:
    one, other = sd.ServiceLocks(), sd.ServiceLocks()
    lease = one.acquire("name")
    assert lease is not None
    assert other.acquire("name") is None
    one.close()
    assert other.acquire("name") is not None
    other.close()


def test_leases_are_renewed(served: ServerProcess) -> None:
    one, other = sd.ServiceLocks(ttl=5), sd.ServiceLocks()
    lease = one.acquire("name")
    assert lease is not None
    for _ in range(14):
        assert other.acquire("name") is None
        threading.Event().wait(0.5)
    assert lease.lasts
    one.close()
    other.close()


def test_no_work_begins_under_a_lease_that_was_revoked(served: ServerProcess) -> None:
    """Its keeper hears of that when it renews."""
    locks = sd.ServiceLocks(ttl=5)
    lease = locks.acquire("name")
    assert lease is not None and lease.lasts
    with client.connect(get_config()) as calls:
        [held] = calls.leases.ListLeases(ListLeasesRequest()).leases
        token = held.fencing_token
        calls.leases.RevokeLease(RevokeLeaseRequest(name="name", fencing_token=token))
    until(lambda: not lease.lasts, "the keeper's news")
    lease.release()
    assert locks.acquire("name") is not None
    locks.close()


def test_no_work_begins_when_half_of_a_lease_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ServerProcess(tmp_path / "server") as server:
        monkeypatch.setenv("STARDAG_SERVER", server.address)
        monkeypatch.setenv("STARDAG_TOKEN_FILE", str(server.data_dir / "token"))
        get_config.cache_clear()
        locks = sd.ServiceLocks(ttl=5)
        lease = locks.acquire("name")
        assert lease is not None and lease.lasts
    until(lambda: not lease.lasts, "the middle of the lease")
    with pytest.raises(sd.LeaseError, match="can't be reached"):
        locks.acquire("other")
    (failed,) = sd.build(tasks.number(n=1), lock=locks, flush_timeout=0).failures
    assert isinstance(failed.error, sd.LeaseError)
    locks.close()


def test_a_build_takes_slots_of_a_limit(served: ServerProcess) -> None:
    with client.connect(get_config()) as calls:
        limit = ConcurrencyLimit(name="warehouse", max_slots=1)
        calls.leases.PutConcurrencyLimit(PutConcurrencyLimitRequest(limit=limit))
    locks = sd.ServiceLocks(slots={"warehouse": 1})
    lease = locks.acquire("a")
    assert lease is not None
    assert locks.acquire("b") is None
    lease.release()
    assert locks.acquire("b") is not None
    locks.close()


def test_a_limit_that_is_not_there_is_a_clear_failure(served: ServerProcess) -> None:
    locks = sd.ServiceLocks(slots={"nothing": 1})
    with pytest.raises(sd.LeaseError, match="no concurrency limit nothing"):
        locks.acquire("name")
    locks.close()


def test_the_service_wants_a_server() -> None:
    with pytest.raises(sd.ConfigError, match="STARDAG_SERVER"):
        sd.ServiceLocks().acquire("name")
    with pytest.raises(sd.ConfigError, match="ttl = 4"):
        sd.ServiceLocks(ttl=4)


def test_leases_load_no_grpc_where_tasks_run(served: ServerProcess) -> None:
    code = "import sys, stardag as sd; sd.ServiceLocks().acquire('n'); print('grpc' in sys.modules)"
    said, _ = start(code).communicate()
    assert said == "False\n"
