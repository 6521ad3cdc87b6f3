"""What is remembered of builds between commits."""

import pytest

from stardag.v1.build_pb2 import BUILD_STATUS_COMPLETED
from stardag_server.domain.build_fold import BuildFold
from stardag_server.domain.build_state import BuildState
from stardag_server.domain.task_state import TaskState
from stardag_server.store import build_memory
from stardag_server.store.build_memory import BuildMemory

A, B = (1, b"a"), (1, b"b")


def fold(head: int, tasks: int) -> BuildFold:
    build = BuildState(key=1, create_time=1, update_time=1, head=head)
    return BuildFold(build, {bytes([number]): TaskState() for number in range(tasks)})


def test_a_memory_is_only_good_at_the_head_it_was_made_at():
    memory = BuildMemory()
    memory.keep(A, fold(head=3, tasks=1))
    assert memory.take(A, 1, 4) is None
    assert memory.take(A, 1, 3) is None
    memory.keep(A, fold(head=3, tasks=1))
    assert memory.take(A, 2, 3) is None


def test_what_two_commits_remember_of_one_build_counts_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(build_memory, "_MAX_STATES", 6)
    memory = BuildMemory()
    memory.keep(A, fold(head=1, tasks=2))
    for head in (1, 2, 3):
        memory.keep(B, fold(head, tasks=4))
    assert A in memory
    assert memory.take(B, 1, 3) is not None


def test_a_build_that_has_ended_is_not_remembered():
    memory = BuildMemory()
    memory.keep(A, fold(head=1, tasks=1))
    ended = fold(head=2, tasks=1)
    ended.build.status = BUILD_STATUS_COMPLETED
    memory.keep(A, ended)
    assert A not in memory


def test_a_build_of_another_workspace_is_another():
    memory = BuildMemory()
    memory.keep(A, fold(head=1, tasks=1))
    assert (2, b"a") not in memory
    assert memory.take((2, b"a"), 1, 1) is None
    assert A in memory
