"""Another attempt after a failure: when, how often, and what is said of it."""

from __future__ import annotations

import types
from pathlib import Path

import pytest
import worker_tasks as tasks

import stardag as sd
from stardag.testing import BuildRecord

EXECUTORS = [sd.InlineExecutor, sd.ThreadExecutor, sd.ProcessExecutor]


@pytest.fixture(params=EXECUTORS)
def executor(request: pytest.FixtureRequest) -> sd.ThreadExecutor:
    return request.param()


def test_a_task_that_fails_is_tried_again(
    executor: sd.ThreadExecutor, build_record: BuildRecord
) -> None:
    task = tasks.Flaky(failures=2)
    summary = sd.build(task, executor=executor)
    assert summary.ok
    assert (summary.counts.completed, summary.counts.failed) == (1, 0)
    assert task.load() == 3
    told = [(name, *detail) for name, subject, *detail in build_record.events if subject == task]
    assert [(name, attempt) for name, attempt, *_ in told[1:]] == [
        ("started", 1),
        ("failed", 1),
        ("started", 2),
        ("failed", 2),
        ("started", 3),
        ("completed", 3),
    ]
    assert [detail[-1] for name, *detail in told if name == "failed"] == [True, True]


def test_attempts_end(executor: sd.ThreadExecutor, build_record: BuildRecord) -> None:
    summary = sd.build(tasks.Flaky(failures=99), executor=executor)
    assert str(summary.counts) == "1 failed"
    assert str(summary.failures[0].error) == "try 4"
    assert [e[-1] for e in build_record.events if e[0] == "failed"] == [True, True, True, False]


def test_only_the_named_exceptions_are_worth_another_try(executor: sd.ThreadExecutor) -> None:
    summary = sd.build(tasks.Flaky(failures=1, fatal=True), executor=executor)
    assert type(summary.failures[0].error) is ValueError
    assert Path("tries").read_text() == "x"


def test_what_depends_on_it_waits_for_the_last_attempt(executor: sd.ThreadExecutor) -> None:
    root = tasks.total(parts=[tasks.Flaky(failures=2), tasks.number(n=1)])
    sd.build(root, executor=executor).raise_for_status()
    assert root.load() == 4


class GeneratorTriedAgain(sd.AutoTask[int], retries=1, retry_backoff=0):
    def run(self):
        yield tasks.number(n=1)
        if not Path("tried").exists():
            Path("tried").touch()
            raise OSError("try again")
        yield tasks.number(n=2)
        self.output().save(3)


def test_a_generator_is_tried_again_from_its_beginning(build_record: BuildRecord) -> None:
    assert sd.build(GeneratorTriedAgain()).ok
    names = [name for name, subject, *_ in build_record.events if subject == GeneratorTriedAgain()]
    once = ["started", "suspended", "resumed"]
    assert names == ["pending", *once, "failed", *once, "suspended", "resumed", "completed"]


class Cancelled(sd.AutoTask[int], retries=5, retry_backoff=60):
    def run(self) -> None:
        raise OSError("no luck")


def test_a_failure_elsewhere_ends_a_fail_fast_build_without_the_wait() -> None:
    @sd.task
    def fails(needs: sd.Depends[int]) -> int:
        raise ValueError

    summary = sd.build([Cancelled(), fails(needs=tasks.number(n=1))])
    assert (summary.counts.failed, summary.counts.cancelled) == (1, 1)
    assert summary.duration_s < 30


def test_a_timeout_is_tried_again_like_any_failure() -> None:
    class Slow(sd.AutoTask[int], timeout=0.05, retries=1, retry_backoff=0):
        def run(self) -> None:
            if Path("slow").exists():
                self.output().save(1)
                return
            Path("slow").touch()
            while True:
                sd.checkpoint()

    assert sd.build(Slow()).ok


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"retrys": 1}, "there is no option 'retrys'; there are labels, resources, retries"),
        ({"retries": -1}, "retries=-1: give the number of further attempts, 0 or more"),
        ({"retries": 1.5}, "retries=1.5: give the number"),
        ({"retries": True}, "retries=True: give the number"),
        ({"timeout": 0}, "timeout=0: give seconds, more than 0, or None"),
        ({"timeout": "1"}, "timeout='1': give seconds"),
        ({"retry_backoff": -1}, "retry_backoff=-1: give seconds, 0 or more"),
        ({"retry_on": "OSError"}, "retry_on='OSError': give an exception type, or a tuple"),
        ({"resources": {"gpu": -1}}, "give an amount, 0 or more, by name"),
        ({"resources": "gpu"}, "resources='gpu': give an amount"),
        ({"labels": {"a": 1}}, "give a text by name"),
    ],
)
def test_options_that_can_not_be_are_refused_at_definition(
    options: dict[str, object], problem: str
) -> None:
    with pytest.raises(sd.TaskDefinitionError, match=problem) as caught:
        types.new_class("Wrong", (sd.AutoTask[int],), options)

    assert "Wrong: " in str(caught.value)
    with pytest.raises(sd.TaskDefinitionError, match=problem):

        @sd.task(**options)  # pyright: ignore
        def wrong() -> int:
            return 1


def test_options_are_inherited_and_have_no_part_in_the_id() -> None:
    class Base(sd.AutoTask[int], retries=2, timeout=5):
        def run(self) -> None: ...

    class Derived(Base, timeout=None, labels={"team": "a"}): ...

    assert (Derived._execution.retries, Derived._execution.timeout) == (2, None)
    assert Derived._execution.labels == {"team": "a"}
    assert "retries" not in Derived().identity_json()
