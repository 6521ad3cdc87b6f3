"""The scheduler against a model that looks at everything anew at each step."""

from __future__ import annotations

from fractions import Fraction

import pytest
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


CAPACITIES = {"slots": 3, "gpu": Fraction(3, 10)}
NEEDS = [(), (("slots", 1),), (("slots", 1), ("gpu", Fraction(1, 10))), (("gpu", Fraction(3, 10)),)]


class Model:
    """What a frontier must do, found out anew at each step by looking at everything."""

    def __init__(self, *, fail_fast: bool) -> None:
        self.fail_fast = fail_fast
        self.states: list[State] = []
        self.waits: list[set[int]] = []
        self.needs: list[tuple[tuple[str, int | Fraction], ...]] = []
        self.places: list[int] = []

    def all_in(self, *states: State) -> list[int]:
        return [task for task, state in enumerate(self.states) if state in states]

    def settle(self) -> None:
        """Skip what can't be any more, and make ready what can run."""
        lost = {State.FAILED, State.SKIPPED, State.STOPPED}
        changed = True
        while changed:
            changed = False
            for task in self.all_in(State.WAITING, State.SUSPENDED):
                states = {self.states[other] for other in self.waits[task]}
                before = self.states[task]
                if states & lost:
                    begun = before is State.SUSPENDED
                    self.states[task] = State.STOPPED if begun else State.SKIPPED
                elif states <= {State.DONE}:
                    self.states[task] = State.READY
                changed |= self.states[task] is not before

    def next(self) -> int | None:
        if self.fail_fast and State.FAILED in self.states:
            return None
        free = dict(CAPACITIES)
        for task in self.all_in(State.RUNNING):
            for resource, amount in self.needs[task]:
                free[resource] -= amount
        fitting = [
            (self.places[task], task)
            for task in self.all_in(State.READY)
            if all(free[resource] >= amount for resource, amount in self.needs[task])
        ]
        return min(fitting)[1] if fitting else None


class Both:
    """A frontier and its model, doing the same."""

    def __init__(self, data: st.DataObject) -> None:
        fail_fast = data.draw(st.booleans())
        self.draw = data.draw
        self.model = Model(fail_fast=fail_fast)
        self.frontier = Frontier(fail_fast=fail_fast, capacities=CAPACITIES)

    def add(self, found_by: int | None = None) -> int:
        model, task = self.model, len(self.model.states)
        known = st.integers(0, task - 1) if task else st.nothing()
        waits = self.draw(st.frozensets(known, max_size=3)) if task else frozenset[int]()
        if found_by is not None:
            waits -= {found_by} | {d for d in waits if self.frontier.chain(d, found_by)}
        done = self.draw(st.integers(0, 5)) == 0
        needs = self.draw(st.sampled_from(NEEDS))
        model.states.append(State.DONE if done else State.WAITING)
        model.waits.append(set(waits))
        model.needs.append(() if done else needs)
        model.places.append(task if found_by is None else model.places[found_by])
        model.settle()
        added = self.frontier.add(waits, done=done, needs=needs, found_by=found_by)
        assert added == task
        return task

    def take_all(self) -> None:
        while (expected := self.model.next()) is not None:
            assert self.frontier.take() == expected
            self.model.states[expected] = State.RUNNING
        assert self.frontier.take() is None

    def end_one(self) -> None:
        """End one running task in any of the ways there are, or release a held one."""
        model, frontier = self.model, self.frontier
        held, running = model.all_in(State.HELD), model.all_in(State.RUNNING)
        if held and (not running or self.draw(st.booleans())):
            task = self.draw(st.sampled_from(held))
            frontier.release(task)
            model.states[task] = State.READY
            return
        task = self.draw(st.sampled_from(running))
        match self.draw(st.sampled_from(["complete", "complete", "fail", "hold", "suspend"])):
            case "complete":
                frontier.complete(task)
                model.states[task] = State.DONE
                model.settle()
            case "hold":
                frontier.hold(task)
                model.states[task] = State.HELD
            case "suspend" if len(model.states) < 30:
                wanted = {self.add(found_by=task) for _ in range(self.draw(st.integers(1, 2)))}
                lost = {State.SKIPPED, State.FAILED, State.STOPPED}
                fits = not any(model.states[other] in lost for other in wanted)
                assert frontier.suspend(task, wanted) is fits
                if fits:
                    model.states[task], model.waits[task] = State.SUSPENDED, wanted
                    model.settle()
            case _:
                model.states[task] = State.FAILED
                before = [*model.states]
                model.settle()
                lost = frontier.fail(task)
                changed = {t for t, s in enumerate(model.states) if s is not before[t]}
                assert len(lost) == len(set(lost))
                assert set(lost) == changed

    def check(self) -> None:
        states = self.model.states
        assert [self.frontier.state(task) for task in range(len(states))] == states
        assert self.frontier.running == states.count(State.RUNNING)
        assert self.frontier.held == states.count(State.HELD)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_it_does_what_a_model_does_that_looks_at_everything(data: st.DataObject) -> None:
    """Under any order of ends, failures, suspensions, holds and limits, to the end."""
    both = Both(data)
    for _ in range(data.draw(st.integers(1, 12))):
        both.add()
    for _ in range(data.draw(st.integers(0, 60))):
        both.take_all()
        both.check()
        if not both.model.all_in(State.RUNNING, State.HELD):
            break
        both.end_one()
        both.check()
    open_states = {State.WAITING, State.READY, State.RUNNING, State.SUSPENDED, State.HELD}
    begun = {State.RUNNING, State.SUSPENDED, State.HELD}
    expected = [(t, s in begun) for t, s in enumerate(both.model.states) if s in open_states]
    assert both.frontier.cancel() == expected
    assert both.frontier.take() is None


def test_what_a_task_asks_for_comes_before_what_was_found_after_it() -> None:
    frontier = Frontier(fail_fast=True)
    asking, later = frontier.add([]), frontier.add([])
    assert frontier.take() == asking
    asked_for = frontier.add([], found_by=asking)
    frontier.suspend(asking, [asked_for])
    assert frontier.take() == asked_for
    frontier.complete(asked_for)
    assert frontier.take() == asking
    frontier.complete(asking)
    assert frontier.take() == later


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_few_outputs_are_waiting_at_once_to_be_used(workers: int) -> None:
    """A subtree that was begun is finished before another is: memory grows with depth."""
    depth = 10
    frontier = Frontier(fail_fast=True, capacities={"slots": workers})
    children: dict[int, list[int]] = {}

    def add(level: int) -> int:
        below = [add(level - 1), add(level - 1)] if level else []
        task = frontier.add(below, needs=(("slots", 1),))
        children[task] = below
        return task

    add(depth)
    unused: set[int] = set()
    most = 0
    running: list[int] = []
    while True:
        while (task := frontier.take()) is not None:
            running.append(task)
        if not running:
            break
        task = running.pop(0)
        frontier.complete(task)
        unused -= set(children[task])
        unused.add(task)
        most = max(most, len(unused))
    assert most <= depth + 2 * workers


def test_how_one_task_waits_for_another_is_told() -> None:
    frontier = Frontier(fail_fast=True)
    bottom = frontier.add([])
    left, right = frontier.add([bottom]), frontier.add([bottom])
    top = frontier.add([left])
    assert frontier.chain(top, bottom) == [top, left, bottom]
    assert frontier.chain(top, right) is None
    assert frontier.chain(top, top) == [top]
