"""The observer that records a build: it appends to the spool, and that is all it does."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Concatenate, ParamSpec
from uuid import UUID

from stardag.tracking import events, wire
from stardag.tracking.route import open_route
from stardag.tracking.source import current_revision
from stardag.tracking.spool import asset_files
from stardag.tracking.spool.delivery import read_status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stardag.assets import Asset
    from stardag.build.observer import BuildInfo, BuildObserver, BuildStatus, ObservedTask
    from stardag.config import Config
    from stardag.tracking.route import Route

_LOOK_EVERY_S = 0.5
_POLL_S = 0.01

_P = ParamSpec("_P")


def open_tracker(config: Config) -> BuildObserver | None:
    """Return the observer for one build, or None if nobody is to be told of it.

    Told are the configured server, OpenTelemetry where its variables ask for it, and, if
    `offline` is set, whoever is named later. Costs microseconds after the first call.
    Raises `ConfigError` if the address is wrong, or the token would travel unencrypted.
    """
    route = open_route(config)
    return Tracker(route) if route is not None else None


def _never_raises(
    method: Callable[Concatenate[Tracker, _P], None],
) -> Callable[Concatenate[Tracker, _P], None]:
    @functools.wraps(method)
    def guarded(self: Tracker, *args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            method(self, *args, **kwargs)
        except Exception as error:  # a build's outcome must not depend on being watched
            self.notices.failed(error)

    return guarded


class Tracker:
    """Records one build. Implements `BuildObserver`: never raises, and waits only when asked."""

    listens = True

    def __init__(self, route: Route) -> None:
        """Record by way of `route`."""
        self.notices = route.notices
        self._route = route
        self._stream = route.stream
        self._build = b""
        self._leased: dict[bytes, bytes] = {}
        """The fencing token of each task that was leased, as the field of an event."""
        self._look_at = 0.0
        self._probe_at = 0.0

    @_never_raises
    def build_started(self, build: BuildInfo) -> None:
        """Record the build's start, and see to it that a sender runs."""
        self._build = build.id.bytes
        self._stream = self._route.begin_build()
        source = current_revision()
        detail = events.build_start(build, source, self._route.program)
        self._append(b"", events.BUILD_STARTED, 0, detail)
        self.notices.build_started(build.id)
        self._look_at = time.monotonic() + _LOOK_EVERY_S
        if self._route.launcher is not None:
            self._route.launcher.ensure()

    def task_pending(self, task: ObservedTask, dependencies: Sequence[ObservedTask]) -> None:
        """Record that the task belongs to the build."""
        self._record_defined(task, events.TASK_PENDING, dependencies)

    def task_reused(self, task: ObservedTask, dependencies: Sequence[ObservedTask]) -> None:
        """Record that the task's output existed."""
        self._record_defined(task, events.TASK_REUSED, dependencies)

    def task_started(self, task: ObservedTask, attempt: int) -> None:
        """Record an attempt's start."""
        self._record(task, events.TASK_STARTED, attempt)

    def task_leased(self, task: ObservedTask, token: int) -> None:
        """Record what the task says from now on as said under this lease."""
        self._leased[task.id.bytes] = wire.number(7, token)

    def task_blocked(self, task: ObservedTask, attempt: int) -> None:
        """Record that the task waits for its lease, which is called as its id."""
        self._record(task, events.TASK_BLOCKED, attempt, lambda: events.block(str(task.id)))

    def task_suspended(
        self,
        task: ObservedTask,
        attempt: int,
        waits_for: Sequence[ObservedTask],
        *,
        restarts: bool,
    ) -> None:
        """Record what the attempt waits for, and how it will go on."""
        self._record(
            task,
            events.TASK_SUSPENDED,
            attempt,
            lambda: events.wait(waits_for, restarts=restarts),
        )

    def task_resumed(self, task: ObservedTask, attempt: int) -> None:
        """Record that the attempt goes on."""
        self._record(task, events.TASK_RESUMED, attempt)

    def task_progressed(
        self, task: ObservedTask, attempt: int, fraction: float, message: str
    ) -> None:
        """Record how far the attempt is."""
        self._record(
            task, events.TASK_PROGRESSED, attempt, lambda: events.progress(fraction, message)
        )

    @_never_raises
    def asset_shown(self, task: ObservedTask, asset: Asset) -> None:
        """Keep the asset until the server has it; one that finds no room is left out."""
        if not self._route.keeps_assets:
            return
        content = asset.content()
        self._stream.keep_asset(
            asset_files.draft(UUID(bytes=self._build), task.id, asset, content), content
        )

    def task_completed(self, task: ObservedTask, attempt: int) -> None:
        """Record that the output is in place, and how large it is."""
        self._record(task, events.TASK_COMPLETED, attempt, lambda: events.output(task.output_uri()))

    def task_failed(
        self, task: ObservedTask, attempt: int, error: BaseException, will_retry: bool
    ) -> None:
        """Record the attempt's failure, with secrets left out of its texts."""
        self._record(
            task,
            events.TASK_FAILED,
            attempt,
            lambda: events.failure(error, will_retry=will_retry),
        )

    def task_skipped(self, task: ObservedTask, cause: ObservedTask) -> None:
        """Record what the task was skipped for."""
        self._record(task, events.TASK_SKIPPED, 0, lambda: events.skip(cause))

    def task_cancelled(self, task: ObservedTask, attempt: int) -> None:
        """Record that the task was stopped on request."""
        self._record(task, events.TASK_CANCELLED, attempt)

    @_never_raises
    def build_ended(self, status: BuildStatus, reason: str) -> None:
        """Record how the build ended; it is on disk when this returns, unless fsync is never."""
        kind = events.BUILD_ENDED[status]
        self._check_stream()
        self._stream.ensure_room_for_end()
        self._append(b"", kind, 0, events.build_end(reason))
        self._stream.end_build()
        self._stream.force()

    def stop_requested(self) -> str | None:
        """Return why somebody asked the server to have this build stopped; None if nobody did."""
        try:
            return self._route.stop_requested(UUID(bytes=self._build), self._stream.position())
        except Exception as error:  # as in `_never_raises`
            self.notices.failed(error)
            return None

    @_never_raises
    def wait_delivered(self, timeout: float) -> None:
        """Wait up to `timeout` seconds for the server to have it all, while it answers.

        Says how many events are left, unless it was told not to wait at all and nothing
        is known to be wrong.
        """
        position = self._stream.position()
        deadline = time.monotonic() + timeout
        while left := self._route.undelivered(position):
            self._look()
            if not self._may_be_delivered(probe=timeout > 0):
                self.notices.waiting(left)
                return
            if time.monotonic() >= deadline:
                if timeout > 0:
                    self.notices.waiting(left)
                return
            time.sleep(_POLL_S)
        if self._route.address is not None:
            self._look()

    def _record(
        self,
        task: ObservedTask,
        kind: int,
        attempt: int,
        make_detail: Callable[[], bytes] | None = None,
    ) -> None:
        try:
            detail = b""
            try:
                if make_detail is not None:
                    detail = make_detail()
            finally:  # whatever is wrong with the detail, it happened
                self._append(task.id.bytes, kind, attempt, detail)
        except Exception as error:  # as in `_never_raises`, written out for speed
            self.notices.failed(error)

    def _record_defined(
        self, task: ObservedTask, kind: int, dependencies: Sequence[ObservedTask]
    ) -> None:
        try:
            task_id = task.id.bytes
            detail = b""
            try:
                if self._stream.define(task_id):
                    detail = events.definition(task, dependencies)
            finally:  # whatever is wrong with the definition, the task belongs to the build
                if not self._append(task_id, kind, 0, detail):
                    self._stream.forget(task_id)
        except Exception as error:  # as in `_record`
            self.notices.failed(error)

    def _append(self, task: bytes, kind: int, attempt: int, detail: bytes) -> bool:
        if attempt and self._leased:
            detail = self._leased.get(task, b"") + detail
        body = events.event(self._build, task, kind, attempt, detail)
        kept = self._stream.append(self._build, body, kind)
        if not kept and self._stream.failure is not None:
            self.notices.failed(self._stream.failure)
        if time.monotonic() > self._look_at:
            self._look()
        return kept

    def _look(self) -> None:
        """See how the sender stands, say what changed, and start it again if it is gone."""
        self._look_at = time.monotonic() + _LOOK_EVERY_S
        self._check_stream()
        if self._route.launcher is None:
            return
        self._route.launcher.ensure()
        if (status := read_status(self._route.spool)) is not None:
            self.notices.sender_stands(status)

    def _check_stream(self) -> None:
        before = self._stream.failure
        self._stream.check(self._build)
        if self._stream.failure is not None and self._stream.failure is not before:
            self.notices.failed(self._stream.failure)

    def _may_be_delivered(self, *, probe: bool) -> bool:
        """Return whether it is worth waiting: the server answers, or may soon."""
        status = read_status(self._route.spool)
        state = status.state if status is not None else "starting"
        if state in ("starting", "unreachable") and probe:
            # the sender has not tried yet, or will try again within seconds
            return self._server_listens()
        return state in ("starting", "connected")

    def _server_listens(self) -> bool:
        now = time.monotonic()
        if now < self._probe_at:
            return True
        self._probe_at = now + _LOOK_EVERY_S
        listens = self._route.server_listens()
        if not listens:
            self.notices.server_lost("nothing answers there")
        return listens
