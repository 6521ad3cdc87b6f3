"""What is limited is never taken more of than there is; and who runs what."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import worker_tasks as tasks

import stardag as sd
from stardag.config import get_config
from stardag.target.stores.memory import MemoryStore
from stardag.testing import BuildRecord


@pytest.fixture(autouse=True)
def in_memory(in_memory_targets: MemoryStore) -> MemoryStore:
    return in_memory_targets


class Usage:
    """How much of something is used at once, and was at most."""

    def __init__(self) -> None:
        self.guard = threading.Lock()
        self.now = self.most = 0.0

    def __call__(self, amount: float) -> None:
        with self.guard:
            self.now += amount
            self.most = max(self.most, self.now)
        threading.Event().wait(0.005)
        with self.guard:
            self.now -= amount


gpus, disks = Usage(), Usage()


class OnOne(sd.AutoTask[int], resources={"gpu": 1}):
    n: int

    def run(self) -> None:
        gpus(1)
        self.output().save(1)


class OnTwo(sd.AutoTask[int], resources={"gpu": 2}):
    n: int

    def run(self) -> None:
        gpus(2)
        self.output().save(1)


class Share(sd.AutoTask[int], resources={"disk": 0.1}):
    n: int

    def run(self) -> None:
        disks(1)
        self.output().save(1)


def test_what_is_limited_is_shared() -> None:
    gpus.most = 0
    summary = sd.build(
        [cls(n=n) for n in range(10) for cls in (OnOne, OnTwo)],
        max_workers=8,
        resources={"gpu": 3},
    )
    assert summary.counts.completed == 20
    assert gpus.most == 3


def test_tenths_add_up() -> None:
    disks.most = 0
    assert sd.build([Share(n=n) for n in range(12)], max_workers=8, resources={"disk": 0.3}).ok
    assert disks.most == 3


def test_what_is_not_limited_has_no_end() -> None:
    gpus.most = 0
    assert sd.build([OnTwo(n=n) for n in range(6)], max_workers=3).ok
    assert gpus.most > 3


def test_a_task_that_needs_more_than_there_is_is_refused_before_anything_runs(
    build_record: BuildRecord,
) -> None:
    with pytest.raises(sd.ConfigError, match=r"OnTwo needs 2 of 'gpu', and there is 1"):
        sd.build([OnOne(n=1), OnTwo(n=1)], resources={"gpu": 1})
    assert build_record.tasks("started") == []


class AsksForTwo(sd.AutoTask[int]):
    def run(self) -> Any:
        yield OnTwo(n=1)


def test_one_that_turns_up_later_fails_who_asked_for_it() -> None:
    summary = sd.build(
        [AsksForTwo(), OnOne(n=1)], resources={"gpu": 1}, fail_mode=sd.FailMode.CONTINUE
    )
    (failed,) = summary.failures
    assert failed.task == AsksForTwo()
    assert "needs 2 of 'gpu'" in str(failed.error)
    assert summary.counts.completed == 1


def test_resources_may_be_configured(isolated: Path) -> None:
    (isolated / "stardag.toml").write_text("[resources]\ngpu = 1\n")
    get_config.cache_clear()
    with pytest.raises(sd.ConfigError, match="there is 1"):
        sd.build(OnTwo(n=1))


@sd.task
def where(n: int) -> str:
    return threading.current_thread().name


@sd.task(resources={"gpu": 1})
def on_gpu(n: int) -> str:
    return threading.current_thread().name


class Named(sd.ThreadExecutor):
    """Says by the prefix of its results that it ran them."""

    def __init__(self, name: str) -> None:
        self.ran: list[sd.BaseTask] = []
        self.name = name
        super().__init__(2)

    def perform(self, attempt: Any) -> Any:
        self.ran.append(attempt.task)
        return super().perform(attempt)


def test_tasks_go_where_the_router_sends_them() -> None:
    default, by_gpu, by_type, by_choice = map(Named, ("default", "gpu", "type", "choice"))
    router = sd.RoutingExecutor(
        default,
        by=lambda task: by_choice if getattr(task, "n", 0) == 7 else None,
        by_type={OnOne: by_type},
        by_resource={"gpu": by_gpu},
    )
    everything = [where(n=1), where(n=7), on_gpu(n=1), on_gpu(n=7), OnOne(n=1), OnTwo(n=1)]
    assert sd.build(everything, executor=router).ok
    assert default.ran == [where(n=1)]
    assert set(by_choice.ran) == {where(n=7), on_gpu(n=7)}
    assert set(by_gpu.ran) == {on_gpu(n=1), OnTwo(n=1)}
    assert by_type.ran == [OnOne(n=1)]


def test_a_router_may_send_tasks_to_processes(tmp_path: Path) -> None:
    router = sd.RoutingExecutor(
        sd.ThreadExecutor(), by_type={tasks.WhereAmI: sd.ProcessExecutor(1)}
    )
    with sd.target_factory_provider.override(sd.TargetFactory({"default": str(tmp_path)})):
        root = tasks.total(parts=[tasks.number(n=1), tasks.slow_number(n=2)])
        assert sd.build([root, tasks.WhereAmI()], executor=router).ok
        assert root.load() == 3
