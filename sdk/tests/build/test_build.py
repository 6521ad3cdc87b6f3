"""What a build makes, in which order, and what it says of it: the same in every variant."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

import stardag as sd
from stardag.build import BuildSummary, FailMode
from stardag.target.stores.memory import MemoryStore
from stardag.testing import BuildRecord

if TYPE_CHECKING:
    from pathlib import Path

Build = Callable[..., BuildSummary]


def build_aio(*args: Any, **options: Any) -> BuildSummary:
    return asyncio.run(sd.build_aio(*args, **options))


def build_sequential_aio(*args: Any, **options: Any) -> BuildSummary:
    return asyncio.run(sd.build_sequential_aio(*args, **options))


BUILDS = [sd.build, sd.build_sequential, build_aio, build_sequential_aio]


@pytest.fixture(params=BUILDS, ids=lambda function: function.__name__)
def build(request: pytest.FixtureRequest) -> Build:
    return request.param


@pytest.fixture
def recorder(build_record: BuildRecord) -> BuildRecord:
    return build_record


@pytest.fixture(autouse=True)
def in_memory(in_memory_targets: MemoryStore) -> MemoryStore:
    return in_memory_targets


@sd.task
def leaf(n: int) -> int:
    return n


@sd.task
def plus(a: sd.Depends[int], b: sd.Depends[int]) -> int:
    return a + b


@sd.task
def failing(n: int = 0) -> int:
    raise ValueError("broken on purpose")


def test_what_is_missing_is_made_once_and_dependencies_come_first(
    build: Build, recorder: BuildRecord
) -> None:
    shared = leaf(n=1)
    root = plus(a=plus(a=shared, b=leaf(n=2)), b=shared)
    summary = build(root)
    assert summary.ok
    assert root.load() == 4
    assert summary.counts.completed == 4
    started = recorder.tasks("started")
    assert len(started) == len(set(started)) == 4
    assert started.index(shared) < started.index(root)


def test_a_second_build_does_nothing(build: Build, recorder: BuildRecord) -> None:
    root = plus(a=leaf(n=1), b=leaf(n=2))
    build(root)
    recorder.events.clear()
    summary = build(root)
    assert (summary.status, summary.counts.reused, summary.counts.total) == ("completed", 1, 1)
    assert recorder.tasks("started") == []


def test_discovery_stops_at_what_is_complete(build: Build) -> None:
    middle = plus(a=leaf(n=1), b=leaf(n=2))
    build(middle)
    for task in (leaf(n=1), leaf(n=2)):
        target = task.output()
        target.store.delete(target.path)
    summary = build(plus(a=middle, b=leaf(n=3)))
    assert (summary.counts.completed, summary.counts.reused) == (2, 1)


def test_fail_fast_starts_nothing_after_a_failure(recorder: BuildRecord) -> None:
    summary = sd.build_sequential([failing(), leaf(n=1)])
    assert (summary.status, summary.counts.failed, summary.counts.cancelled) == ("failed", 1, 1)
    assert recorder.tasks("started") == [failing()]
    assert recorder.tasks("cancelled") == [leaf(n=1)]


def test_continue_builds_all_that_can_be_built(build: Build, recorder: BuildRecord) -> None:
    lost = plus(a=failing(), b=leaf(n=1))
    further = plus(a=lost, b=leaf(n=2))
    summary = build([further, leaf(n=3)], fail_mode=FailMode.CONTINUE)
    assert str(summary.counts) == "3 completed, 1 failed, 2 skipped"
    assert {(skip.task, skip.cause) for skip in summary.skipped} == {
        (lost, failing()),
        (further, failing()),
    }
    assert set(recorder.tasks("skipped")) == {lost, further}


def test_a_failure_keeps_its_traceback_and_is_raised_on_request(build: Build) -> None:
    summary = build(failing())
    assert "broken on purpose" in summary.failures[0].traceback
    assert 'raise ValueError("broken on purpose")' in summary.failures[0].traceback
    with pytest.raises(sd.BuildFailedError, match="1 failed") as caught:
        summary.raise_for_status()
    assert isinstance(caught.value.__cause__, ValueError)


def test_leaving_by_sys_exit_is_a_failure_of_the_task(build: Build) -> None:
    @sd.task
    def leaving() -> int:
        raise SystemExit(3)

    assert build(leaving()).counts.failed == 1


class Forgetful(sd.AutoTask[int]):
    def run(self) -> None:
        pass


def test_a_promised_output_that_is_missing_is_a_failure(build: Build) -> None:
    summary = build(Forgetful())
    assert isinstance(summary.failures[0].error, sd.OutputMissingError)
    assert "memory://default/Forgetful" in str(summary.failures[0].error)


class Outdated(sd.AutoTask[int]):
    __version__ = "2"

    def run(self) -> None:
        self.output().save(1)


def test_a_task_of_another_version_is_not_run(build: Build) -> None:
    task = Outdated(version="1")
    summary = build(task)
    assert isinstance(summary.failures[0].error, sd.VersionMismatchError)
    assert not task.complete()
    assert build(Outdated(version="2")).ok


class Elsewhere(sd.AutoTask[int]):
    """Stands for something made by another program."""


def test_a_task_without_run_can_be_used_but_not_made(build: Build) -> None:
    root = plus(a=Elsewhere(), b=leaf(n=1))
    with pytest.raises(sd.TaskDefinitionError, match="Elsewhere has no run"):
        build(root)
    Elsewhere().output().save(4)
    assert build(root).ok
    assert root.load() == 5


class Ping(sd.AutoTask[int]):
    def requires(self) -> sd.TaskStruct:
        return Pong()

    def run(self) -> None: ...


class Pong(sd.AutoTask[int]):
    def requires(self) -> sd.TaskStruct:
        return [Ping()]

    def run(self) -> None: ...


def test_a_circle_is_refused_with_its_path(build: Build, recorder: BuildRecord) -> None:
    with pytest.raises(sd.CycleError, match=r"Ping\(\) -> Pong\(\) -> Ping\(\)"):
        build(Ping())
    assert recorder.ended == "failed"


class Chooses(sd.AutoTask[int]):
    """Finds out what it needs while it runs."""

    n: int

    def run(self) -> Iterator[sd.TaskStruct]:
        first = leaf(n=self.n)
        yield first
        more = {"x": leaf(n=first.load() + 1), "y": [first]}
        yield more
        self.output().save(first.load() + more["x"].load())  # pyright: ignore


def test_what_a_task_yields_is_complete_when_it_goes_on(
    build: Build, recorder: BuildRecord
) -> None:
    task = Chooses(n=10)
    summary = build(task)
    assert task.load() == 21
    assert summary.counts.completed == 3
    names = [name for name, subject, *_ in recorder.events if subject == task]
    assert names == ["pending", "started", *["suspended", "resumed"] * 2, "completed"]


class WaitsFor(sd.AutoTask[int]):
    task: sd.SubClass[sd.BaseTask]

    def run(self) -> Iterator[sd.TaskStruct]:
        yield self.task
        self.output().save(1)


def test_a_task_fails_when_what_it_yielded_fails(build: Build) -> None:
    summary = build(WaitsFor(task=failing()), fail_mode=FailMode.CONTINUE)
    assert {type(f.error) for f in summary.failures} == {ValueError, sd.UpstreamFailedError}


class YieldsCircle(sd.AutoTask[int]):
    def run(self) -> Iterator[sd.TaskStruct]:
        yield WaitsForCircle()


class WaitsForCircle(sd.AutoTask[int]):
    def requires(self) -> sd.TaskStruct:
        return YieldsCircle()

    def run(self) -> None: ...


def test_a_circle_made_while_running_is_a_failure(build: Build) -> None:
    error = build(YieldsCircle()).failures[0].error
    assert isinstance(error, sd.CycleError)
    assert error.path == ("YieldsCircle()", "WaitsForCircle()", "YieldsCircle()")


class YieldsItself(sd.AutoTask[int]):
    def run(self) -> Iterator[sd.TaskStruct]:
        yield self


def test_a_task_that_waits_for_itself_is_a_failure(build: Build) -> None:
    error = build(YieldsItself()).failures[0].error
    assert isinstance(error, sd.CycleError)
    assert error.path == ("YieldsItself()", "YieldsItself()")


def test_independent_tasks_run_at_the_same_time() -> None:
    barrier = threading.Barrier(3, timeout=20)

    @sd.task
    def meets(n: int) -> int:
        barrier.wait()
        return n

    assert sd.build([meets(n=n) for n in range(3)], max_workers=3).ok


class Interrupted(sd.AutoTask[int]):
    def run(self) -> None:
        raise KeyboardInterrupt


def test_an_interrupt_is_put_on_record_and_goes_on(recorder: BuildRecord) -> None:
    with pytest.raises(KeyboardInterrupt):
        sd.build_sequential([Interrupted(), leaf(n=1)])
    assert recorder.ended == "cancelled"
    assert recorder.tasks("cancelled") == [Interrupted(), leaf(n=1)]


@sd.task
async def awaited(n: int) -> int:
    await asyncio.sleep(0.001)
    return n


class ChoosesAio(sd.AutoTask[int]):
    n: int

    async def run(self) -> AsyncIterator[sd.TaskStruct]:
        first = awaited(n=self.n)
        yield first
        more = {"x": leaf(n=first.load() + 1), "y": [first]}
        yield more
        self.output().save(first.load() + more["x"].load())  # pyright: ignore


class EitherWay(sd.AutoTask[str]):
    def run(self) -> None:
        self.output().save("in a thread")

    async def run_aio(self) -> None:
        self.output().save("in an event loop")


def test_all_forms_of_run_mix_in_one_dag(build: Build) -> None:
    @sd.task
    def gather(values: list[sd.Depends[int]], how: sd.Depends[str]) -> list[Any]:
        return [*values, how]

    root = gather(values=[awaited(n=1), leaf(n=2), Chooses(n=3), ChoosesAio(n=4)], how=EitherWay())
    summary = build(root)
    assert summary.ok, summary
    assert root.load()[:4] == [1, 2, 7, 9]
    assert summary.counts.completed == 10


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (sd.build, "in a thread"),
        (sd.build_sequential, "in a thread"),
        (build_aio, "in an event loop"),
        (build_sequential_aio, "in an event loop"),
    ],
)
def test_a_task_that_can_both_runs_as_its_build_does(build: Build, expected: str) -> None:
    build(EitherWay()).raise_for_status()
    assert EitherWay().load() == expected


@pytest.mark.parametrize("build", [sd.build, sd.build_sequential])
async def test_a_build_works_inside_a_running_event_loop(build: Build) -> None:
    """As in a notebook; tasks that need a loop get one of their own."""
    root = plus(a=leaf(n=1), b=awaited(n=2))
    assert build(root).ok
    assert root.load() == 3


async def test_async_tasks_run_in_the_loop_of_who_awaits_the_build() -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    class InLoop(sd.AutoTask[int]):
        async def run(self) -> None:
            loops.append(asyncio.get_running_loop())
            self.output().save(1)

    assert (await sd.build_aio(InLoop())).ok
    assert loops == [asyncio.get_running_loop()]


async def test_the_loop_is_free_while_a_build_is_awaited() -> None:
    freed = threading.Event()

    class Waits(sd.AutoTask[int]):
        def run(self) -> None:
            assert freed.wait(20)
            self.output().save(1)

    building = asyncio.create_task(sd.build_aio(Waits()))
    await asyncio.sleep(0.01)
    freed.set()
    assert (await building).ok


def test_a_forgotten_async_is_a_clear_failure(build: Build) -> None:
    class Forgets(sd.AutoTask[int]):
        def run(self) -> Any:
            return awaited.call(1)

    (failed,) = build(Forgets()).failures
    assert "define it as `async def run`" in str(failed.error)


def test_as_many_run_at_once_as_may() -> None:
    running = most = 0
    guard = threading.Lock()

    async def counted() -> None:
        nonlocal running, most
        with guard:
            running += 1
            most = max(most, running)
        await asyncio.sleep(0.01)
        with guard:
            running -= 1

    class Aio(sd.AutoTask[int]):
        n: int

        async def run(self) -> None:
            await counted()
            self.output().save(1)

    class Sync(sd.AutoTask[int]):
        n: int

        def run(self) -> None:
            asyncio.run(counted())
            self.output().save(1)

    tasks = [cls(n=n) for n in range(8) for cls in (Aio, Sync)]
    assert sd.build(tasks, max_workers=3).ok
    assert most == 3


def test_an_unidentifiable_parameter_is_an_error_before_anything_runs(build: Build) -> None:
    @sd.task
    def takes(value: Any) -> int:
        return 1

    with pytest.raises(sd.IdentityError, match="value"):
        build([leaf(n=1), takes(value=float("nan"))])


def test_a_long_chain_is_built(build: Build) -> None:
    class Link(sd.AutoTask[int]):
        below: sd.TaskLoads[int] | None = None

        def requires(self) -> sd.TaskStruct | None:
            return self.below

        def run(self) -> None:
            self.output().save(1)

    task = Link()
    for _ in range(3000):
        task = Link(below=task)
    assert build(task).counts.completed == 3001


def test_a_target_root_that_is_not_configured_is_named(isolated: Path) -> None:
    @sd.task(target_root_key="archive")
    def archived() -> int:
        return 1

    factory = sd.TargetFactory({"default": str(isolated)})
    with (
        sd.target_factory_provider.override(factory),
        pytest.raises(sd.ConfigError, match="no target root called 'archive'"),
    ):
        sd.build_sequential(archived())


class Broken(sd.AutoTask[int]):
    def complete(self) -> bool:
        raise OSError("disk gone")

    def run(self) -> None: ...


class Yields(sd.AutoTask[int]):
    tasks: list[sd.SubClass[sd.BaseTask]]

    def run(self) -> Iterator[sd.TaskStruct]:
        yield self.tasks
        self.output().save(1)


@pytest.mark.parametrize("unfit", [Broken(), Elsewhere()])
def test_a_yield_that_can_not_be_looked_at_harms_nobody_else(
    build: Build, recorder: BuildRecord, unfit: Any
) -> None:
    bystander = Yields(tasks=[leaf(n=200)])
    failing_one = Yields(tasks=[leaf(n=100), leaf(n=101), unfit])
    summary = build([failing_one, bystander], fail_mode=FailMode.CONTINUE)
    assert [failure.task for failure in summary.failures] == [failing_one]
    assert bystander.load() == 1
    assert leaf(n=100) not in recorder.tasks("started")


def test_an_error_of_a_task_being_asked_names_the_task(build: Build, recorder: BuildRecord) -> None:
    with pytest.raises(OSError, match="disk gone") as caught:
        build(plus(a=Broken(), b=leaf(n=1)))
    assert caught.value.__notes__ == ["raised by complete() of Broken()"]
    assert recorder.ended == "failed"


class Stubborn(sd.AutoTask[int]):
    def run(self) -> Iterator[sd.TaskStruct]:
        try:
            yield [leaf(n=1), failing()]
        finally:
            raise ValueError("clean-up failed")


def test_a_clean_up_that_fails_does_not_lose_the_summary(
    build: Build, recorder: BuildRecord
) -> None:
    summary = build(Stubborn())
    assert summary.status == recorder.ended == "failed"
    assert str(summary.counts).endswith("2 failed")


class OwnBaseException(BaseException):
    pass


def test_whatever_a_task_raises_is_its_failure(build: Build) -> None:
    @sd.task
    def raising() -> int:
        raise OwnBaseException

    assert build(raising()).counts.failed == 1


@pytest.mark.parametrize("workers", [0, -1])
def test_a_build_needs_workers(recorder: BuildRecord, workers: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        sd.build(leaf(n=1), max_workers=workers)
    assert recorder.events == []


def test_none_is_no_task(build: Build) -> None:
    with pytest.raises(TypeError, match="None was given"):
        build(None)
    assert build([]).ok


class MuteError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@sd.task
def fails_without_words() -> int:
    raise MuteError


def test_an_error_that_can_not_tell_its_text_is_a_failure_like_any_other() -> None:
    summary = sd.build(fails_without_words())
    assert summary.status == "failed"
    assert "MuteError: <its text can't be had: RuntimeError>" in str(summary)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ({"tries": 3}, TypeError, "'tries': 3 is none"),
        ({"k" * 64: "v"}, ValueError, "a name has at most 63 characters"),
        ({"k": "v" * 256}, ValueError, "a value 255"),
        ({str(n): "v" for n in range(33)}, ValueError, "at most 32 labels, not 33"),
    ],
)
def test_labels_that_can_not_be_recorded_are_refused(
    labels: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        sd.build(leaf(n=1), labels=labels)
