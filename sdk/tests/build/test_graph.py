"""Discovery: what is asked, how often, and in which order tasks are found."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

import stardag as sd
from stardag.build.graph import Graph
from stardag.target.stores.memory import MemoryStore


class CountingStore(MemoryStore):
    """Notes what is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.asked_at_once: list[int] = []

    def exists(self, path: str) -> bool:
        self.asked.append(path)
        return super().exists(path)

    def exists_many(self, paths: Sequence[str]) -> list[bool]:
        self.asked.extend(paths)
        self.asked_at_once.append(len(paths))
        return super().exists_many(paths)


@pytest.fixture
def store() -> Iterator[CountingStore]:
    store = CountingStore()
    factory = sd.TargetFactory({"default": "counted://root"}, {"counted": store})
    with sd.target_factory_provider.override(factory):
        yield store


class Node(sd.AutoTask[int]):
    name: str
    needs: tuple[Node, ...] = ()

    def requires(self) -> sd.TaskStruct:
        return self.needs

    def run(self) -> None:
        self.output().save(1)


def layers(depth: int, width: int) -> Node:
    """Return the top of layers of which each task needs all of the layer below."""
    below: tuple[Node, ...] = ()
    for layer in range(depth):
        below = tuple(Node(name=f"{layer}-{i}", needs=below) for i in range(width))
    return Node(name="top", needs=below)


def test_each_task_is_asked_once_and_a_whole_wave_at_once(store: CountingStore) -> None:
    found = Graph().discover([layers(depth=4, width=10)])
    assert len(found) == 41
    assert len(store.asked) == len(set(store.asked)) == 41
    assert store.asked_at_once == [1, 10, 10, 10, 10]


def test_nobody_looks_below_what_is_complete(store: CountingStore) -> None:
    top = layers(depth=4, width=10)
    for task in top.needs:
        task.output().save(1)
    store.asked.clear()
    found = Graph().discover([top])
    assert [f.requires is None for f in found] == [True] * 10 + [False]
    assert len(store.asked) == 11


def test_a_complete_root_is_one_question(store: CountingStore) -> None:
    top = layers(depth=4, width=10)
    top.output().save(1)
    store.asked.clear()
    assert sd.build(top).counts.total == 1
    assert store.asked == [top.output().path]


def test_tasks_are_found_depth_first_so_that_what_is_begun_is_finished() -> None:
    left = Node(name="left", needs=(Node(name="a"), Node(name="b")))
    right = Node(name="right", needs=(Node(name="c"), Node(name="b")))
    found = Graph().discover([Node(name="top", needs=(left, right))])
    names = [f.task.name for f in found if isinstance(f.task, Node)]
    assert names == ["a", "b", "left", "c", "right", "top"]


def test_what_was_added_is_not_found_again(store: CountingStore) -> None:
    graph = Graph()
    shared = Node(name="shared")
    for found in graph.discover([shared]):
        graph.add(found)
    store.asked.clear()
    (found,) = graph.discover([Node(name="new", needs=(shared,)), shared])
    assert graph.add(found) == [0]
    assert len(store.asked) == 1


def test_a_long_row_of_tasks_is_no_obstacle() -> None:
    task: Node | None = None
    for i in range(20_000):
        task = Node(name=str(i), needs=(task,) if task else ())
    assert task is not None
    assert len(Graph().discover([task])) == 20_000


class OwnComplete(sd.AutoTask[int]):
    def complete(self) -> bool:
        return True

    def run(self) -> None: ...


def test_a_task_that_says_itself_when_it_is_complete_is_asked_itself(store: CountingStore) -> None:
    (found,) = Graph().discover([OwnComplete()])
    assert found.requires is None
    assert store.asked == []


class AsksFarAway(sd.AutoTask[int]):
    n: int

    def complete(self) -> bool:
        together.wait(timeout=20)
        return True

    def run(self) -> None: ...


together = threading.Barrier(4)


def test_tasks_that_answer_slowly_are_asked_at_once() -> None:
    assert sd.build([AsksFarAway(n=n) for n in range(4)]).counts.reused == 4


class SaysWhere(sd.AutoTask[int]):
    n: int

    def complete(self) -> bool:
        asked_in.append(threading.current_thread())
        return True

    def run(self) -> None: ...


asked_in: list[threading.Thread] = []


def test_a_sequential_build_asks_in_its_own_thread() -> None:
    sd.build_sequential([SaysWhere(n=n) for n in range(4)])
    assert asked_in == [threading.current_thread()] * 4


class Circular(sd.AutoTask[int]):
    n: int

    def requires(self) -> Any:
        return Circular(n=(self.n + 1) % 5)

    def run(self) -> None: ...


def test_a_circle_is_told_with_its_path_from_whichever_side_it_is_entered() -> None:
    @sd.task
    def enters(needs: sd.Depends[int]) -> int:
        return needs

    with pytest.raises(sd.CycleError) as caught:
        Graph().discover([enters(needs=Circular(n=3))])
    assert caught.value.path == tuple(f"Circular(n={n})" for n in (3, 4, 0, 1, 2, 3))
