"""What a signal's handler raises reaches the program, wherever it strikes in tracking."""

from __future__ import annotations

import functools
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from stardag.build.observer import BuildInfo

from .conftest import MakeConfig
from .event_server import EventServer
from .tasks import Step, build_id, run
from .test_tracker import tracker


class TimeIsUp(Exception):
    """As those of libraries for time limits, which are no BaseException."""


def expire(*_: object) -> None:
    raise TimeIsUp


def expire_as_the_system_does(*_: object) -> None:
    raise TimeoutError


class Limit:
    def expire(self, *_: object) -> None:
        raise TimeIsUp

    def __call__(self, *_: object) -> None:
        raise TimeIsUp


@dataclass(frozen=True)
class Interrupted(Step):
    """A task during whose recording a signal comes."""

    def output_uri(self) -> str | None:
        signal.raise_signal(signal.SIGALRM)
        return super().output_uri()


Handler = Callable[..., None]


@pytest.fixture
def handle() -> Iterator[Callable[[Handler], None]]:
    """Set the handler of SIGALRM."""

    def take(handler: Handler) -> None:
        signal.signal(signal.SIGALRM, handler)

    before = signal.getsignal(signal.SIGALRM)
    yield take
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
    "handler",
    [expire, expire_as_the_system_does, Limit().expire, Limit(), functools.partial(expire, 1)],
)
def test_what_strikes_while_an_event_is_recorded_is_raised(
    config: MakeConfig, handle: Callable[[Handler], None], handler: Handler
) -> None:
    handle(handler)
    observer = tracker(config(None, offline=True, quiet=True))
    observer.build_started(BuildInfo(build_id(), [Interrupted()]))
    with pytest.raises((TimeIsUp, TimeoutError)):
        observer.task_pending(Interrupted(), [])


def test_what_strikes_while_the_end_of_delivery_is_waited_for_is_raised(
    config: MakeConfig, handle: Callable[[Handler], None], server: EventServer
) -> None:
    handle(expire)
    server.silent = True
    observer = tracker(config(server.address, quiet=True))
    run(observer, 1)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    with pytest.raises(TimeIsUp):
        observer.wait_delivered(20)


def test_what_only_looks_like_that_is_not(
    config: MakeConfig, handle: Callable[[Handler], None], capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken(Step):
        def output_uri(self) -> str | None:
            raise TimeIsUp

    handle(expire)
    observer = tracker(config(None, offline=True))
    observer.task_pending(Broken(), [])
    assert "not everything is recorded (TimeIsUp" in capsys.readouterr().err
