"""Whole builds of random DAGs: what must hold whatever the tasks do and however they are run."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import pairwise
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import stardag as sd
from stardag.build import BuildSummary
from stardag.testing import BuildRecord, builds_on_record, targets_in_memory

sd.namespace("random_builds", __name__)

Does = Literal["works", "fails", "forgets", "fails once"]


class Node(sd.AutoTask[int], retries=1, retry_on=OSError, retry_backoff=0):
    """Requires some tasks, yields others, and does what it is told."""

    n: int
    does: Does
    needs: tuple[sd.SubClass[sd.BaseTask], ...] = ()
    asks_for: tuple[sd.SubClass[sd.BaseTask], ...] = ()

    def requires(self) -> sd.TaskStruct:
        return self.needs

    def end(self) -> None:
        assert all(task.complete() for task in (*self.needs, *self.asks_for))
        log.append(self)
        match self.does:
            case "works":
                self.output().save(self.n)
            case "fails":
                raise ValueError
            case "fails once":
                if log.count(self) == 1:
                    raise OSError
                self.output().save(self.n)
            case "forgets":
                pass


class Sync(Node):
    def run(self) -> Iterator[sd.TaskStruct]:
        yield from self.asks_for
        self.end()


class Aio(Node):
    async def run(self) -> AsyncIterator[sd.TaskStruct]:
        await asyncio.sleep(0)
        if self.asks_for:
            yield self.asks_for
        self.end()


log: list[Node] = []
"""Each time that a task came to its end."""

DOES: list[Does] = ["works", "works", "works", "works", "fails", "forgets", "fails once"]
does = st.sampled_from(DOES)


@st.composite
def dags(draw: st.DrawFn) -> list[Node]:
    """Return tasks of which each needs some, and asks for some, of those before it."""
    tasks: list[Node] = []
    for n in range(draw(st.integers(1, 12))):
        some = st.lists(st.sampled_from(tasks), max_size=3, unique=True) if tasks else st.just([])
        kind = draw(st.sampled_from([Sync, Aio]))
        needs, asks_for = tuple(draw(some)), tuple(draw(some))
        tasks.append(kind(n=n, does=draw(does), needs=needs, asks_for=asks_for))
    return tasks


def build_aio(*args: Any, **options: Any) -> BuildSummary:
    return asyncio.run(sd.build_aio(*args, **options))


BUILDS: list[Callable[..., BuildSummary]] = [
    sd.build_sequential,
    lambda *a, **o: sd.build(*a, max_workers=3, **o),
    lambda *a, **o: build_aio(*a, max_workers=3, **o),
]


@pytest.mark.parametrize("build", BUILDS, ids=["sequential", "threads", "aio"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tasks=dags(), fail_mode=st.sampled_from(sd.FailMode))
def test_a_build_keeps_its_promises(
    build: Callable[..., BuildSummary], tasks: list[Node], fail_mode: sd.FailMode
) -> None:
    log.clear()
    with targets_in_memory(), builds_on_record() as record:
        summary = build(tasks, fail_mode=fail_mode)
        made = {task for task in tasks if task.complete()}
        again = build(tasks, fail_mode=fail_mode) if summary.ok else None
    can = {task for task in tasks if can_be_made(task)}
    assert made <= can
    if fail_mode is sd.FailMode.CONTINUE:
        assert made == can
    assert summary.ok == (made == set(tasks))
    assert all(times <= (2 if task.does == "fails once" else 1) for task, times in runs().items())
    assert summary.counts.total == len(set(tasks))
    assert summary.counts.completed == len(made)
    assert again is None or again.counts.reused == len(set(tasks))
    for task in set(tasks):
        assert_told_in_order(record, task)


def runs() -> Counter[Node]:
    return Counter(log)


def can_be_made(task: Any) -> bool:
    below = (*task.needs, *task.asks_for)
    return task.does in ("works", "fails once") and all(map(can_be_made, below))


AFTER = {
    "pending": {"started", "skipped", "cancelled"},
    "started": {"suspended", "completed", "failed", "cancelled"},
    "suspended": {"resumed", "failed", "cancelled"},
    "resumed": {"suspended", "completed", "failed", "cancelled"},
    "failed": {"started", "cancelled"},
}


def assert_told_in_order(record: BuildRecord, task: Node) -> None:
    """One task's events of the first build are a path through the states of an attempt."""
    first = record.events[
        : record.events.index(next(e for e in record.events if e[0] == "build_ended"))
    ]
    names = [name for name, subject, *_ in first if subject == task]
    assert names[0] == "pending"
    for before, after in pairwise(names):
        assert after in AFTER[before], names
    assert names[-1] in {"completed", "failed", "skipped", "cancelled"}
