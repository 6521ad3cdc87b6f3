"""Several observers of one build are each told everything."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import stardag as sd
from stardag.build import BuildObserver, observer_provider
from stardag.build.fan_out import FanOut
from stardag.target.stores.memory import MemoryStore
from stardag.testing import BuildRecord


@sd.task
def number(n: int) -> int:
    if n < 0:
        raise ValueError("negative")
    return n


class Suspends(sd.AutoTask[int]):
    def run(self) -> Iterator[sd.TaskStruct]:
        yield [number(n=1), number(n=2)]
        self.output().save(1)


def test_each_observer_is_told_everything_in_the_same_order(in_memory_targets: MemoryStore) -> None:
    first, second = BuildRecord(), BuildRecord()
    with observer_provider.override(lambda: FanOut(first, second)):
        tasks = [Suspends(), number(n=-1), number(n=3)]
        sd.build_sequential(tasks, fail_mode=sd.FailMode.CONTINUE)
    assert first.events == second.events
    assert {"suspended", "resumed", "failed", "completed"} <= {event[0] for event in first.events}


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, method in inspect.getmembers(BuildObserver, inspect.isfunction)
        if name[0] != "_" and inspect.signature(method).return_annotation == "None"
    ],
)
def test_it_passes_on_whatever_observers_are_told(name: str) -> None:
    class Told:
        def __getattr__(self, called: str) -> Callable[..., None]:
            def tell(*args: Any, **keywords: Any) -> None:
                told.append((called, args, keywords))

            return tell

    told: list[object] = []
    getattr(FanOut(Told(), Told()), name)(1, two=2)  # pyright: ignore[reportArgumentType]
    assert told == [(name, (1,), {"two": 2})] * 2


def test_a_request_to_stop_is_that_of_whichever_observer_has_one() -> None:
    class Asked(BuildRecord):
        def stop_requested(self) -> str | None:
            return "wrong data"

    assert FanOut(BuildRecord(), BuildRecord()).stop_requested() is None
    assert FanOut(BuildRecord(), Asked()).stop_requested() == "wrong data"
