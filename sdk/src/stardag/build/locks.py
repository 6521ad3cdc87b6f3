"""Leases on tasks, so that of several builds at once one runs each task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from stardag._identified import id_text
from stardag.build.attempt import End, Failed, Suspended, finish_in_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from stardag.build.attempt import Attempt, Outcome


class Lease(Protocol):
    """The right to run a task, held by one build at a time."""

    @property
    def token(self) -> int:
        """Fencing token: greater each time the lease is had; 0 if its source has none."""
        ...

    @property
    def lasts(self) -> bool:
        """Whether work may begin under it: if it ends by itself, half of its time is left."""
        ...

    def release(self) -> None:
        """Give it back."""
        ...


class LeaseSource(Protocol):
    """Where leases come from. One contract suite runs on every source."""

    def acquire(self, name: str) -> Lease | None:
        """Return the lease called `name`, or None at once if somebody else holds it.

        A lease whose holder died can be had soon after. May be called from any thread.
        """
        ...


def perform_leased(attempt: Attempt, perform: Callable[[Attempt], Outcome]) -> Outcome:
    """Perform an attempt under its task's lease, if it is to have one.

    REUSED if the output is there once the lease is held: another build has made it. BLOCKED if
    another build holds it. A suspended attempt keeps its lease.
    """
    if attempt.guard is None:
        return perform(attempt)

    async def ask(question: Callable[[], object]) -> object:
        return question()

    async def answer() -> Outcome:
        return perform(attempt)

    return finish_in_thread(_perform_leased(attempt, ask, answer))


async def perform_leased_aio(
    attempt: Attempt, perform: Callable[[Attempt], Awaitable[Outcome]]
) -> Outcome:
    """Do as `perform_leased`, in an event loop; sources are asked in a thread."""
    if attempt.guard is None:
        return await perform(attempt)
    import asyncio

    return await _perform_leased(attempt, asyncio.to_thread, lambda: perform(attempt))


async def _perform_leased(
    attempt: Attempt,
    ask: Callable[[Callable[[], object]], Awaitable[object]],
    perform: Callable[[], Awaitable[Outcome]],
) -> Outcome:
    guard = attempt.guard
    assert guard is not None
    outcome: Outcome = End.BLOCKED
    try:
        if guard.begun:
            outcome = await perform()
        elif not await ask(lambda: guard.acquire(id_text(attempt.task))):
            outcome = End.BLOCKED
        elif await ask(attempt.task.complete):
            outcome = End.REUSED
        elif not await ask(lambda: guard.lasts):
            outcome = End.BLOCKED
        else:
            guard.begin(attempt)
            outcome = await perform()
        if not isinstance(outcome, Suspended):
            await ask(guard.release)
    except BaseException as error:
        guard.release()
        if isinstance(error, Exception):  # of the source, or of the task when it is asked
            return Failed(error)
        raise
    return outcome


class Guard:
    """A task's lease within one build, and who is told when the task begins under it."""

    __slots__ = ("_lease", "_source", "_started", "begun")

    def __init__(self, source: LeaseSource, started: Callable[[Attempt], None]) -> None:
        """Make the guard of one attempt."""
        self._source = source
        self._started = started
        self._lease: Lease | None = None
        self.begun = False
        """Whether the task has begun to run under the lease."""

    @property
    def held(self) -> bool:
        """Whether the lease is held."""
        return self._lease is not None

    @property
    def lasts(self) -> bool:
        """Whether the lease is held, and work may begin under it."""
        return self._lease is not None and self._lease.lasts

    @property
    def token(self) -> int:
        """The fencing token of the lease that is held; 0 if it has none."""
        return self._lease.token if self._lease is not None else 0

    def acquire(self, name: str) -> bool:
        """Return whether the lease is held now."""
        self._lease = self._source.acquire(name)
        return self.held

    def begin(self, attempt: Attempt) -> None:
        """Say that the task begins."""
        self.begun = True
        self._started(attempt)

    def release(self) -> None:
        """Give the lease back, if it is held."""
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.release()
