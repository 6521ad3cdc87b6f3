"""The scheduler against a model that looks at everything anew at each step."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from stardag.build.frontier import Frontier, State

graphs = st.integers(1, 12).flatmap(
    lambda n: st.tuples(
        *(
            st.tuples(
                st.frozensets(st.integers(0, i - 1), max_size=4)
                if i
                else st.just(frozenset[int]()),
                st.booleans(),
            )
            for i in range(n)
        )
    )
)


@settings(max_examples=300)
@given(graph=graphs, data=st.data(), fail_fast=st.booleans())
def test_every_task_runs_once_after_its_dependencies_or_not_at_all(
    graph: tuple[tuple[frozenset[int], bool], ...], data: st.DataObject, fail_fast: bool
) -> None:
    frontier = Frontier(fail_fast=fail_fast)
    for dependencies, done in graph:
        frontier.add(dependencies, done=done)
    done = {i for i, (_, is_done) in enumerate(graph) if is_done}
    ended: dict[int, bool] = {}
    running: set[int] = set()
    skipped: set[int] = set()
    while True:
        while (task := frontier.take()) is not None:
            assert task not in done | running | ended.keys() | skipped
            assert all(d in done for d in graph[task][0])
            running.add(task)
        runnable = {
            i
            for i, (dependencies, _) in enumerate(graph)
            if i not in done | running | ended.keys() and dependencies <= done
        }
        assert not runnable or (fail_fast and not all(ended.values()))
        assert frontier.running == len(running)
        if not running:
            break
        task = data.draw(st.sampled_from(sorted(running)))
        running.remove(task)
        ended[task] = data.draw(st.booleans())
        if ended[task]:
            frontier.complete(task)
            done.add(task)
        else:
            lost = frontier.fail(task)
            assert not skipped & set(lost)
            skipped.update(lost)
    failed = {task for task, succeeded in ended.items() if not succeeded}
    assert skipped == downstream(graph, failed)
    rest = {task for task, _ in frontier.cancel()}
    assert rest == set(range(len(graph))) - done - failed - skipped
    assert not rest or fail_fast


def downstream(graph: tuple[tuple[frozenset[int], bool], ...], failed: set[int]) -> set[int]:
    lost = set(failed)
    for task, (dependencies, done) in enumerate(graph):
        if not done and dependencies & lost:
            lost.add(task)
    return lost - failed


def test_smaller_numbers_are_taken_first() -> None:
    frontier = Frontier(fail_fast=True)
    for _ in range(3):
        frontier.add([])
    assert [frontier.take() for _ in range(4)] == [0, 1, 2, None]


def test_a_suspended_task_is_given_out_again_when_what_it_waits_for_is_done() -> None:
    frontier = Frontier(fail_fast=True)
    parent = frontier.add([])
    assert frontier.take() == parent
    child = frontier.add([])
    assert frontier.suspend(parent, [child])
    assert frontier.take() == child
    assert frontier.take() is None
    frontier.complete(child)
    assert frontier.take() == parent


def test_a_suspended_task_is_stopped_when_what_it_waits_for_fails() -> None:
    frontier = Frontier(fail_fast=False)
    parent = frontier.add([])
    frontier.take()
    child = frontier.add([])
    frontier.suspend(parent, [child])
    frontier.take()
    assert frontier.fail(child) == [parent]
    assert frontier.state(parent) is State.STOPPED
    assert not frontier.suspend(frontier.add([]), [child])


def test_work_is_linear_in_edges() -> None:
    """Each edge is looked at once when it is made and once when it is met."""
    frontier = Frontier(fail_fast=True)
    layers, width = 50, 20
    for layer in range(layers):
        below = range((layer - 1) * width, layer * width) if layer else ()
        for _ in range(width):
            frontier.add(below)
    taken = 0
    while (task := frontier.take()) is not None:
        frontier.complete(task)
        taken += 1
    assert taken == layers * width
