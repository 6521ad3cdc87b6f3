"""What is known of a build while it runs, from what it was told; the tests have the clock."""

from __future__ import annotations

import stardag as sd
from stardag.build.progress.estimate import Pace, TimeLeft, time_left
from stardag.build.progress.state import Phase, Progress, Snapshot


@sd.task
def part(n: int) -> int:
    return n


@sd.task
def whole(n: int = 0) -> int:
    return n


def after(progress: Progress, now: float = 100.0, *, closed: bool = False) -> Snapshot:
    return progress.snapshot(now, first=3, closed=closed)


def with_parts(count: int) -> Progress:
    progress = Progress(0)
    for n in range(count):
        progress.pending(part(n=n))
    return progress


def test_every_task_is_counted_once_wherever_it_stands() -> None:
    progress = with_parts(9)
    progress.reused(whole())
    for n in range(7):
        progress.started(part(n=n), now=n)
    progress.completed(part(n=0), now=10)
    progress.failed(part(n=1), ValueError(), now=10, will_retry=False)
    progress.failed(part(n=2), ValueError(), now=10, will_retry=True)
    progress.suspended(part(n=3), [part(n=8)], now=10)
    progress.blocked(part(n=7), now=10)
    progress.skipped(part(n=8))
    progress.cancelled(part(n=6))
    seen = after(progress)
    assert str(seen.ended) == "1 completed, 1 reused, 1 failed, 1 skipped, 1 cancelled"
    assert {phase.name: count for phase, count in seen.begun.items()} == {
        "RUNNING": 2,
        "BLOCKED": 1,
        "SUSPENDED": 1,
        "RETRYING": 1,
    }
    assert (seen.waiting, seen.total, seen.elapsed_s) == (0, 10, 100)
    assert [failed.task for failed in seen.failures] == [part(n=1)]


def test_what_another_build_has_made_meanwhile_is_no_new_task() -> None:
    progress = with_parts(2)
    progress.blocked(part(n=0), now=1)
    progress.reused(part(n=0))
    progress.reused(part(n=1))
    assert (after(progress).total, after(progress).ended.reused) == (2, 2)


def test_what_is_longest_in_its_phase_comes_first() -> None:
    progress = with_parts(5)
    for n in range(5):
        progress.started(part(n=n), now=n)
    progress.suspended(part(n=0), [], now=6)
    progress.resumed(part(n=0), now=7)
    running = after(progress).longest[Phase.RUNNING]
    assert [(begun.task.id, begun.since) for begun in running] == [
        (part(n=n).id, n) for n in (1, 2, 3)
    ]


def test_what_a_suspended_attempt_waited_is_not_how_long_it_takes() -> None:
    progress = with_parts(2)
    progress.started(part(n=0), now=0)
    progress.suspended(part(n=0), [], now=4)
    progress.resumed(part(n=0), now=90)
    progress.completed(part(n=0), now=96)
    progress.started(part(n=1), now=100)
    assert after(progress, closed=True).left == TimeLeft(10, at_least=False)


def test_there_is_no_estimate_before_anything_was_done() -> None:
    progress = with_parts(10)
    progress.started(part(n=0), now=0)
    assert after(progress).left is None


def test_what_is_left_is_done_at_the_pace_of_what_was_done() -> None:
    progress = with_parts(10)
    for n in range(4):
        progress.started(part(n=n), now=n // 2 * 10)
        progress.completed(part(n=n), now=n // 2 * 10 + 10)
    # two at a time, ten seconds each: six are left
    assert after(progress, now=20).left == TimeLeft(30, at_least=False)


def test_a_type_of_which_nothing_is_known_makes_an_estimate_a_lower_bound() -> None:
    progress = with_parts(2)
    progress.pending(whole())
    progress.started(part(n=0), now=0)
    progress.completed(part(n=0), now=10)
    assert after(progress, now=10).left == TimeLeft(10, at_least=True)
    progress.started(part(n=1), now=10)
    progress.completed(part(n=1), now=20)
    assert after(progress, now=20).left is None


def test_once_nothing_more_is_started_only_what_runs_is_waited_for() -> None:
    progress = with_parts(10)
    progress.started(part(n=0), now=0)
    progress.completed(part(n=0), now=10)
    progress.started(part(n=1), now=10)
    assert after(progress, now=14).left == TimeLeft(86, at_least=False)
    assert after(progress, now=14, closed=True).left == TimeLeft(6, at_least=False)


def test_a_build_lasts_as_long_as_its_longest_task() -> None:
    paces = {int: Pace(left=8, done=8, seconds=8), str: Pace(left=1, done=1, seconds=60)}
    assert time_left(paces, [(str, 10.0)], at_once=8, closed=False) == TimeLeft(50, at_least=False)


def test_what_runs_for_longer_than_it_should_is_expected_at_once() -> None:
    paces = {int: Pace(left=1, done=1, seconds=5)}
    assert time_left(paces, [(int, 10.0)], at_once=1, closed=False) is None
