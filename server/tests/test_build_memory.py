"""What is remembered of builds between commits."""

import pytest

from stardag_server.domain.build_fold import BuildFold
from stardag_server.domain.build_state import BuildState
from stardag_server.domain.task_state import TaskState
from stardag_server.store import build_memory
from stardag_server.store.build_memory import BuildMemory


def fold(head: int, tasks: int) -> BuildFold:
    build = BuildState(key=1, create_time=1, update_time=1, head=head)
    return BuildFold(build, {bytes([number]): TaskState() for number in range(tasks)})


def test_a_memory_is_only_good_at_the_head_it_was_made_at():
    memory = BuildMemory()
    memory.keep(b"a", fold(head=3, tasks=1))
    assert memory.take(b"a", 4) is None
    assert memory.take(b"a", 3) is None


def test_what_two_commits_remember_of_one_build_counts_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(build_memory, "_MAX_STATES", 6)
    memory = BuildMemory()
    memory.keep(b"a", fold(head=1, tasks=2))
    for head in (1, 2, 3):
        memory.keep(b"b", fold(head, tasks=4))
    assert b"a" in memory
    assert memory.take(b"b", 3) is not None
