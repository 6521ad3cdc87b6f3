"""For tests of pipelines: targets in memory, builds on record, ids that must not change.

A pytest plugin: put `pytest_plugins = ["stardag.testing"]` into the `conftest.py` at the root of
your tests, and use the fixtures below.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from stardag._task import BaseTask
from stardag.build.builder import observer_provider
from stardag.target import StoreSettings, TargetFactory, target_factory_provider
from stardag.target.stores.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from stardag.assets import Asset
    from stardag.build.observer import BuildInfo, BuildStatus, ObservedTask


class MemoryTargetFactory(TargetFactory):
    """Makes targets in one store in memory, whatever their root is called."""

    def __init__(self) -> None:
        """Make a factory with an empty store."""
        self.store = MemoryStore()
        super().__init__({}, {"memory": self.store}, StoreSettings())

    def _base(self, key: str) -> str:
        return f"memory://{key}/"


@contextmanager
def targets_in_memory() -> Generator[MemoryStore]:
    """Keep what is made below any target root in memory during a `with` block.

    What a task places by a full path or a URI goes there all the same.
    """
    factory = MemoryTargetFactory()
    with target_factory_provider.override(factory):
        yield factory.store


@contextmanager
def builds_on_record() -> Generator[BuildRecord]:
    """Record the builds of a `with` block, and report them to nobody else."""
    record = BuildRecord()
    with observer_provider.override(lambda: record):
        yield record


@pytest.fixture
def in_memory_targets() -> Generator[MemoryStore]:
    """Keep everything that a test makes in the store given here, and forget it after."""
    with targets_in_memory() as store:
        yield store


@pytest.fixture
def build_record() -> Generator[BuildRecord]:
    """Record what the test's builds do, and report them to nobody else."""
    with builds_on_record() as record:
        yield record


def assert_stable_id(task: BaseTask, expected: str) -> None:
    """Fail, with what the id is made of, unless the task has the id that it had.

    An id that changes moves the output: everything made so far is made again.
    """
    actual = str(task.id)
    assert actual == expected, (
        f"the id of {task!r} was {expected}, and is {actual} now: the UUIDv5 of "
        f"{task.identity_json()}"
    )


@dataclass
class BuildRecord:
    """The transitions of builds, in order; a `BuildObserver`."""

    listens = True
    events: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    """Name, subject and whatever else there is to each."""

    @property
    def ended(self) -> BuildStatus | None:
        """How the last build ended; None if none has."""
        ends = [detail[0] for name, _, *detail in self.events if name == "build_ended"]
        return ends[-1] if ends else None

    def tasks(self, name: str) -> list[Any]:
        """Return the tasks of one kind of event, such as `started`, in order."""
        return [subject for event, subject, *_ in self.events if event == name]

    def build_started(self, build: BuildInfo) -> None:
        """Record it."""
        self.events.append(("build_started", build))

    def task_pending(self, task: ObservedTask, dependencies: Sequence[ObservedTask]) -> None:
        """Record it."""
        self.events.append(("pending", task, tuple(dependencies)))

    def task_reused(self, task: ObservedTask, dependencies: Sequence[ObservedTask]) -> None:
        """Record it."""
        self.events.append(("reused", task, tuple(dependencies)))

    def task_started(self, task: ObservedTask, attempt: int) -> None:
        """Record it."""
        self.events.append(("started", task, attempt))

    def task_leased(self, task: ObservedTask, token: int) -> None:
        """Record it."""
        self.events.append(("leased", task, token))

    def task_blocked(self, task: ObservedTask, attempt: int) -> None:
        """Record it."""
        self.events.append(("blocked", task, attempt))

    def task_suspended(
        self,
        task: ObservedTask,
        attempt: int,
        waits_for: Sequence[ObservedTask],
        *,
        restarts: bool,
    ) -> None:
        """Record it."""
        self.events.append(("suspended", task, attempt, tuple(waits_for), restarts))

    def task_resumed(self, task: ObservedTask, attempt: int) -> None:
        """Record it."""
        self.events.append(("resumed", task, attempt))

    def task_progressed(
        self, task: ObservedTask, attempt: int, fraction: float, message: str
    ) -> None:
        """Record it."""
        self.events.append(("progressed", task, attempt, fraction, message))

    def asset_shown(self, task: ObservedTask, asset: Asset) -> None:
        """Record it."""
        self.events.append(("shown", task, asset))

    def task_completed(self, task: ObservedTask, attempt: int) -> None:
        """Record it."""
        self.events.append(("completed", task, attempt))

    def task_failed(
        self, task: ObservedTask, attempt: int, error: BaseException, will_retry: bool
    ) -> None:
        """Record it."""
        self.events.append(("failed", task, attempt, error, will_retry))

    def task_skipped(self, task: ObservedTask, cause: ObservedTask) -> None:
        """Record it."""
        self.events.append(("skipped", task, cause))

    def task_cancelled(self, task: ObservedTask, attempt: int) -> None:
        """Record it."""
        self.events.append(("cancelled", task, attempt))

    def build_ended(self, status: BuildStatus, reason: str) -> None:
        """Record it."""
        self.events.append(("build_ended", None, status, reason))

    def stop_requested(self) -> str | None:
        """Return None: nobody asks."""
        return None

    def wait_delivered(self, timeout: float) -> None:
        """Return at once: there is nothing to deliver."""
