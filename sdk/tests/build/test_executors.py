"""The contract of every executor, run on every executor."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
import worker_tasks as tasks
from pydantic import SecretStr

import stardag as sd
from stardag.build import Executor
from stardag.build.attempt import Attempt, End, Failed, Outcome, Suspended
from stardag.build.executors.event_loop import EventLoopExecutor

MAKERS: dict[str, Callable[[], Executor]] = {
    "inline": sd.InlineExecutor,
    "threads": lambda: sd.ThreadExecutor(3),
    "event loop": lambda: EventLoopExecutor(slots=3),
    "processes": lambda: sd.ProcessExecutor(2),
}

SYNC = {"inline", "threads", "processes"}
AIO = {"inline", "event loop", "processes"}


def on(*kinds: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("kind", sorted(kinds))


@pytest.fixture
def run(kind: str) -> Iterator[Callable[..., Outcome]]:
    """Return what runs an attempt to its outcome."""
    executor = MAKERS[kind]()
    ends: SimpleQueue[tuple[Attempt, Outcome]] = SimpleQueue()

    def run(attempt: Attempt, meanwhile: Callable[[Executor], object] | None = None) -> Outcome:
        executor.submit(attempt, lambda a, o: ends.put((a, o)))
        if meanwhile is not None:
            meanwhile(executor)
        ended, outcome = ends.get(timeout=60)
        assert ended is attempt
        assert ends.empty()
        return outcome

    yield run
    executor.close()


def failure(outcome: Outcome) -> BaseException:
    assert isinstance(outcome, Failed), outcome
    return outcome.error


@on(*SYNC)
def test_a_task_runs_and_its_output_is_there(run: Callable[..., Outcome]) -> None:
    task = tasks.number(n=3)
    assert run(Attempt(task)) is End.COMPLETED
    assert task.load() == 3


@on(*AIO)
def test_an_async_task_runs_and_its_output_is_there(run: Callable[..., Outcome]) -> None:
    task = tasks.slow_number(n=3)
    assert run(Attempt(task)) is End.COMPLETED
    assert task.load() == 3


@on(*SYNC)
def test_a_failure_keeps_type_message_and_traceback(run: Callable[..., Outcome]) -> None:
    error = failure(run(Attempt(tasks.failing(n=7))))
    assert type(error) is ValueError
    assert str(error) == "broken on purpose 7"
    (shown,) = [sd.build_sequential(tasks.failing(n=7)).failures[0]]
    assert 'raise ValueError(f"broken on purpose {n}")' in shown.traceback


@on(*SYNC)
def test_an_exception_that_can_not_travel_is_told_by_its_text(run: Callable[..., Outcome]) -> None:
    assert "1 and 2" in str(failure(run(Attempt(tasks.failing_oddly()))))


@on(*SYNC)
def test_a_promised_output_that_is_missing_is_a_failure(run: Callable[..., Outcome]) -> None:
    error = failure(run(Attempt(tasks.Forgetful())))
    assert isinstance(error, sd.OutputMissingError)
    assert "does not exist" in str(error)


@on(*SYNC)
def test_a_task_of_another_version_is_not_run(run: Callable[..., Outcome]) -> None:
    error = failure(run(Attempt(tasks.number(n=1, version="other"))))
    assert isinstance(error, sd.VersionMismatchError)


def finish(run: Callable[..., Outcome], task: sd.BaseTask) -> list[list[sd.BaseTask]]:
    """Run an attempt to its end, building what it waits for; return what that was."""
    waited: list[list[sd.BaseTask]] = []
    attempt = Attempt(task)
    while isinstance(outcome := run(attempt), Suspended):
        waited.append(list(outcome.waits_for))
        sd.build_sequential(outcome.waits_for).raise_for_status()
        attempt.generator = outcome.generator
    assert outcome is End.COMPLETED
    return waited


@on(*SYNC)
def test_a_task_that_yields_is_suspended_and_goes_on(run: Callable[..., Outcome]) -> None:
    task = tasks.Chooses(n=10)
    first, second = tasks.number(n=10), tasks.number(n=11)
    assert finish(run, task) == [[first], [second, first]]
    assert task.load() == 21


@on(*AIO)
def test_an_async_task_that_yields_is_suspended_and_goes_on(run: Callable[..., Outcome]) -> None:
    task = tasks.ChoosesAio(n=10)
    first, second = tasks.slow_number(n=10), tasks.number(n=11)
    assert finish(run, task) == [[first], [second, first]]
    assert task.load() == 21


@on(*SYNC)
def test_a_function_that_yields_returns_what_is_saved(run: Callable[..., Outcome]) -> None:
    task = tasks.chosen_by(n=1)
    assert finish(run, task) == [[tasks.number(n=1)]]
    assert task.load() == 2


@on(*SYNC)
def test_a_timeout_ends_a_task_that_looks_for_it(run: Callable[..., Outcome]) -> None:
    error = failure(run(Attempt(tasks.Sleeps())))
    assert isinstance(error, sd.TaskTimeoutError)
    assert str(error) == "Sleeps() ran for more than 0.3 s"


@on(*AIO)
def test_a_timeout_cancels_an_async_task(run: Callable[..., Outcome]) -> None:
    assert isinstance(failure(run(Attempt(tasks.SleepsAio()))), sd.TaskTimeoutError)


@on("processes")
def test_a_timeout_ends_a_process_whatever_it_does(run: Callable[..., Outcome]) -> None:
    assert isinstance(failure(run(Attempt(tasks.Stubborn()))), sd.TaskTimeoutError)
    assert run(Attempt(tasks.number(n=1))) is End.COMPLETED


def wait_for(path: str) -> None:
    for _ in range(3000):
        if Path(path).exists():
            return
        threading.Event().wait(0.01)
    raise AssertionError(f"{path} did not come")


@on("threads", "processes")
def test_a_task_that_is_stopped_ends_with_its_own_clean_up(run: Callable[..., Outcome]) -> None:
    attempt = Attempt(tasks.Endless())

    def stop(executor: Executor) -> None:
        wait_for("sleeping")
        executor.stop(attempt)

    assert isinstance(failure(run(attempt, stop)), sd.TaskCancelledError)
    assert Path("cleaned-up").exists()


@on("event loop", "processes")
def test_an_async_task_that_is_stopped_is_cancelled(run: Callable[..., Outcome]) -> None:
    attempt = Attempt(tasks.EndlessAio())

    def stop(executor: Executor) -> None:
        wait_for("sleeping")
        executor.stop(attempt)

    assert isinstance(run(attempt, stop), Failed)
    assert Path("cleaned-up").exists()


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_as_many_run_at_once_as_there_are_slots(kind: str) -> None:
    executor = MAKERS[kind]()
    ends: SimpleQueue[Outcome] = SimpleQueue()
    for n in range(executor.slots):
        executor.submit(
            Attempt(tasks.Meets(n=n, of=executor.slots)), lambda _, outcome: ends.put(outcome)
        )
    assert all(ends.get(timeout=60) is End.COMPLETED for _ in range(executor.slots))
    executor.close()


@pytest.mark.parametrize("kind", list(MAKERS))
def test_an_executor_serves_one_build_after_the_other(kind: str) -> None:
    executor = MAKERS[kind]()
    for n in range(2):
        root = tasks.total(parts=[tasks.number(n=n), tasks.number(n=n + 1)])
        if kind == "event loop":
            root = tasks.slow_number(n=n)
        assert sd.build(root, executor=executor).ok


@pytest.mark.parametrize("kind", list(MAKERS))
def test_slots_are_at_least_one(kind: str) -> None:
    assert MAKERS[kind]().slots >= 1


@pytest.mark.parametrize("make", [sd.ThreadExecutor, sd.ProcessExecutor])
@pytest.mark.parametrize("workers", [0, -1])
def test_an_executor_without_workers_is_refused(make: Callable[[int], Any], workers: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        make(workers)


# What only processes promise


@pytest.mark.parametrize(
    ("dies", "said"),
    [
        (tasks.Dies(signal=9), "was ended by SIGKILL (the kernel does so when memory is short)"),
        (tasks.Dies(signal=11), "was ended by SIGSEGV"),
        (tasks.Dies(exit_code=100), "ended with exit code 100"),
    ],
)
def test_a_worker_that_dies_fails_its_task_alone(dies: tasks.Dies, said: str) -> None:
    others = [tasks.number(n=n) for n in range(20)]
    summary = sd.build(
        [dies, *others], executor=sd.ProcessExecutor(2), fail_mode=sd.FailMode.CONTINUE
    )
    (failed,) = summary.failures
    assert failed.task == dies
    assert isinstance(failed.error, sd.WorkerDiedError)
    assert said in str(failed.error)
    assert summary.counts.completed == 20


def test_a_worker_has_the_environment_and_the_directory_of_its_build(
    isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for value in ("one", "two"):
        monkeypatch.setenv("STARDAG_TEST_VARIABLE", value)
        task = tasks.WhereAmI()
        target = task.output()
        target.store.delete(target.path)
        sd.build(task, executor=sd.ProcessExecutor(1)).raise_for_status()
        found = task.load()
        assert found["variable"] == value
        assert found["cwd"] == str(isolated)
        assert found["pid"] != str(os.getpid())


def test_a_worker_has_the_target_roots_of_its_build(tmp_path: Path) -> None:
    factory = sd.TargetFactory({"default": str(tmp_path / "elsewhere")})
    with sd.target_factory_provider.override(factory):
        sd.build(tasks.number(n=1), executor=sd.ProcessExecutor(1)).raise_for_status()
        assert tasks.number(n=1).output().uri.startswith(str(tmp_path / "elsewhere"))


def test_a_task_travels_once_to_a_worker_however_deep_it_is() -> None:
    task = tasks.Link()
    for _ in range(300):
        task = tasks.Link(below=task)
    sd.build(task, executor=sd.ProcessExecutor(2)).raise_for_status()
    assert task.load() == 301


def test_a_task_whose_class_can_not_be_imported_is_a_clear_failure() -> None:
    @sd.task
    def local(n: int) -> int:
        return n

    (failed,) = sd.build(local(n=1), executor=sd.ProcessExecutor(1)).failures
    assert "import the module that defines it" in str(failed.error)


def test_a_secret_does_not_travel_and_is_not_taken_for_its_mask() -> None:
    secretive = tasks.Secretive(password=SecretStr("s3cret"))
    root = tasks.total(parts=[secretive])
    (failed,) = sd.build(root, executor=sd.ProcessExecutor(1)).failures
    assert "has a secret among its parameters" in str(failed.error)
    assert "s3cret" not in str(failed.error)
    assert sd.build(root).ok
    assert root.load() == 6


def test_a_generator_in_a_process_runs_again_from_its_beginning(
    build_record: Any, isolated: Path
) -> None:
    task = tasks.Chooses(n=10)
    sd.build(task, executor=sd.ProcessExecutor(2)).raise_for_status()
    assert task.load() == 21
    assert (isolated / "begun").read_text() == "xxx"
    restarts = [e[4] for e in build_record.events if e[0] == "suspended"]
    assert restarts == [True, True]
