"""What a build's graph tells: root causes, the critical path, how much ran at once."""

from hypothesis import given
from hypothesis import strategies as st

from stardag.v1 import task_pb2
from stardag.v1.build_service_pb2 import (
    TASK_CHANGE_KIND_ADDED,
    TASK_CHANGE_KIND_REMOVED,
    TASK_CHANGE_KIND_SAME,
    TASK_CHANGE_KIND_STATUS,
)
from stardag.v1.task_pb2 import TaskFailure
from stardag_server.domain.build_comparison import changes
from stardag_server.domain.build_graph import MAX_CAUSES, STOPPED, WAITING, BuildGraph, Node
from stardag_server.domain.fingerprint import fingerprint

PENDING = task_pb2.TASK_STATUS_PENDING
RUNNING = task_pb2.TASK_STATUS_RUNNING
COMPLETED = task_pb2.TASK_STATUS_COMPLETED
FAILED = task_pb2.TASK_STATUS_FAILED
SKIPPED = task_pb2.TASK_STATUS_SKIPPED


def graph(statuses: dict[int, int], edges: list[tuple[int, int]]) -> BuildGraph:
    nodes = [Node(ordinal, status, 1, 0, ordinal, 1) for ordinal, status in statuses.items()]
    return BuildGraph.of(nodes, edges)


def test_a_failure_keeps_all_that_waits_after_it_and_nothing_beyond_what_ran():
    found = graph(
        {1: FAILED, 2: SKIPPED, 3: SKIPPED, 4: COMPLETED, 5: PENDING},
        [(1, 2), (2, 3), (1, 4), (4, 5)],
    )
    assert found.causes(found.stopped()) == {2: [1], 3: [1]}
    assert found.kept_by([1]) == {2, 3}


def test_the_root_of_a_wait_is_what_itself_waits_for_nothing():
    found = graph({1: RUNNING, 2: PENDING, 3: PENDING, 4: PENDING}, [(1, 2), (2, 3), (4, 3)])
    assert found.unfinished() == [1, 4]
    assert found.causes(found.unfinished()) == {2: [1], 3: [1, 4]}


def test_causes_are_the_first_to_fail_and_at_most_ten():
    many = 3 * MAX_CAUSES
    found = graph(
        {**dict.fromkeys(range(1, many + 1), FAILED), many + 1: SKIPPED},
        [(ordinal, many + 1) for ordinal in range(many, 0, -1)],
    )
    assert found.causes(found.stopped()) == {many + 1: list(range(1, MAX_CAUSES + 1))}


statuses = st.dictionaries(
    st.integers(1, 8), st.sampled_from([PENDING, RUNNING, COMPLETED, FAILED, SKIPPED])
)
edges = st.lists(st.tuples(st.integers(1, 8), st.integers(1, 8)))


@given(statuses, edges)
def test_whatever_the_graph_a_cause_is_stopped_and_leads_to_the_task(
    statuses: dict[int, int], edges: list[tuple[int, int]]
):
    edges = [(a, b) for a, b in edges if a in statuses and b in statuses]
    found = graph(statuses, edges)
    expected: dict[int, set[int]] = {}
    for root, status in statuses.items():
        reached, ahead = {root}, [root]
        while ahead:
            here = ahead.pop()
            for a, b in edges:
                if a == here and b not in reached and statuses[b] in WAITING:
                    reached.add(b)
                    ahead.append(b)
        if status in STOPPED:
            for task in reached - {root}:
                expected.setdefault(task, set()).add(root)
    causes = found.causes(found.stopped())
    assert {task: set(roots) for task, roots in causes.items()} == expected


def test_the_critical_path_is_the_longest_chain_whatever_circles_there_are():
    durations = {1: 5, 2: 1, 3: 7, 4: 1, 5: 100, 6: 100}
    nodes = [Node(o, COMPLETED, 1, 1, 1, duration) for o, duration in durations.items()]
    found = BuildGraph.of(nodes, [(1, 2), (2, 4), (1, 3), (3, 4), (5, 6), (6, 5)])
    assert found.critical_path() == [1, 3, 4]
    assert BuildGraph.of([], []).critical_path() == []


def test_most_at_one_moment_counts_what_runs_still():
    nodes = [
        Node(1, COMPLETED, 1, 10, 20, 10),
        Node(2, COMPLETED, 1, 20, 30, 10),
        Node(3, RUNNING, 1, 15, 0, 0),
        Node(4, PENDING, 0, 0, 0, 0),
    ]
    assert BuildGraph.of(nodes, []).max_parallel() == 2


def test_alike_are_failures_that_differ_in_numbers_ids_and_lines_only():
    trace = 'Traceback:\n  File "/home/{user}/work.py", line {line}, in run\n    go()\n'
    first = TaskFailure(
        kind="ValueError",
        message="row 17 of 0x7f31 in 9ca26b27-f7ee-4044-8b3c-e335dc5778dc",
        stack_trace=trace.format(user="a", line=3),
    )
    second = TaskFailure(
        kind="ValueError",
        message="row 4 of 0xa1 in 00000000-f7ee-4044-8b3c-e335dc5778dc",
        stack_trace=trace.format(user="b", line=30),
    )
    assert fingerprint(first) == fingerprint(second)
    assert len(fingerprint(first)) == 16
    second.stack_trace = second.stack_trace.replace("in run", "in walk")
    assert fingerprint(first) != fingerprint(second)
    assert fingerprint(TaskFailure(kind="A")) != fingerprint(TaskFailure(kind="B"))


def test_two_builds_differ_in_tasks_and_statuses():
    found = changes(
        [(7, 1, FAILED), (8, 2, FAILED), (9, 3, COMPLETED)],
        [(9, 1, COMPLETED), (8, 2, COMPLETED), (5, 3, PENDING)],
    )
    assert [(change.kind, change.base, change.ordinal) for change in found] == [
        (TASK_CHANGE_KIND_ADDED, None, 3),
        (TASK_CHANGE_KIND_REMOVED, 1, None),
        (TASK_CHANGE_KIND_STATUS, 2, 2),
        (TASK_CHANGE_KIND_SAME, 3, 1),
    ]
