"""The observer that shows a build to people.

What happens is counted as it comes. After half a second a thread begins to show it, now and
then; a shorter build costs nothing more, and is not shown. One build is shown at a time: of
nested ones the outer.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from stardag.build.progress.display import DISPLAY
from stardag.build.progress.form import Form
from stardag.build.progress.state import Progress, Snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO
    from uuid import UUID

    from stardag.assets import Asset
    from stardag.build.observer import BuildInfo, BuildStatus, BuildView, ObservedTask

PATIENCE_S = 0.5
"""How long a build takes at least that is shown."""
_CLOSE_S = 2.0  # for the last words, when a terminal is stopped or a pipe is full


class Renderer(Protocol):
    """Shows snapshots of one build. Raises OSError and ValueError when nobody can see them."""

    period_s: float
    """Seconds from one snapshot to the next."""
    first: int
    """How many tasks of each phase it wants to know of."""

    def show(self, snapshot: Snapshot) -> None:
        """Show how things stand."""
        ...

    def end(self, snapshot: Snapshot, summary: str) -> None:
        """Show how it ended; the last call."""
        ...

    def close(self) -> None:
        """Remove what would not stay, where there is no end to be shown."""
        ...


class ProgressObserver:
    """Shows one build. Implements `BuildObserver`."""

    listens = True

    def __init__(self, form: Form, stream: TextIO) -> None:
        """Show what comes, in a form, on a stream."""
        self._form = form
        self._stream = stream
        self._lock = threading.Lock()
        self._progress = Progress(monotonic())
        self._holds_display = False
        self._thread: threading.Thread | None = None
        self._is_shown = False
        self._ended = threading.Event()
        self._status: BuildStatus | None = None

    def build_started(self, build: BuildInfo) -> None:
        """Begin to count, and to show it after a while, if the build can be looked at."""
        self._holds_display = build.view is not None and DISPLAY.acquire(blocking=False)
        if self._holds_display:
            self._thread = threading.Thread(
                target=self._run, args=(build.id, build.view), name="stardag-progress", daemon=True
            )
            with suppress(RuntimeError):  # no more threads can be had: the build matters more
                self._thread.start()

    def task_pending(self, task: ObservedTask, dependencies: Sequence[ObservedTask]) -> None:
        """Count it."""
        with self._lock:
            self._progress.pending(task)

    def task_reused(self, task: ObservedTask, dependencies: Sequence[ObservedTask]) -> None:
        """Count it."""
        with self._lock:
            self._progress.reused(task)

    def task_started(self, task: ObservedTask, attempt: int) -> None:
        """Count it."""
        with self._lock:
            self._progress.started(task, monotonic())

    def task_leased(self, task: ObservedTask, token: int) -> None:
        """Leave it to others."""

    def task_blocked(self, task: ObservedTask, attempt: int) -> None:
        """Count it."""
        with self._lock:
            self._progress.blocked(task, monotonic())

    def task_suspended(
        self,
        task: ObservedTask,
        attempt: int,
        waits_for: Sequence[ObservedTask],
        *,
        restarts: bool,
    ) -> None:
        """Count it."""
        with self._lock:
            self._progress.suspended(task, waits_for, monotonic())

    def task_resumed(self, task: ObservedTask, attempt: int) -> None:
        """Count it."""
        with self._lock:
            self._progress.resumed(task, monotonic())

    def task_progressed(
        self, task: ObservedTask, attempt: int, fraction: float, message: str
    ) -> None:
        """Note it."""
        with self._lock:
            self._progress.progressed(task, fraction, message)

    def asset_shown(self, task: ObservedTask, asset: Asset) -> None:
        """Leave it to others."""

    def task_completed(self, task: ObservedTask, attempt: int) -> None:
        """Count it."""
        with self._lock:
            self._progress.completed(task, monotonic())

    def task_failed(
        self, task: ObservedTask, attempt: int, error: BaseException, will_retry: bool
    ) -> None:
        """Count it."""
        with self._lock:
            self._progress.failed(task, error, monotonic(), will_retry=will_retry)

    def task_skipped(self, task: ObservedTask, cause: ObservedTask) -> None:
        """Count it."""
        with self._lock:
            self._progress.skipped(task)

    def task_cancelled(self, task: ObservedTask, attempt: int) -> None:
        """Count it."""
        with self._lock:
            self._progress.cancelled(task)

    def build_ended(self, status: BuildStatus, reason: str) -> None:
        """Have the last words said, if there were any before, and wait until they are."""
        with self._lock:
            self._status = status
            is_shown = self._is_shown
        self._ended.set()
        try:
            if is_shown and self._thread is not None:
                self._thread.join(_CLOSE_S)
        finally:
            if self._holds_display:
                self._holds_display = False
                DISPLAY.release()

    def stop_requested(self) -> str | None:
        """Return None: nobody can ask here."""
        return None

    def wait_delivered(self, timeout: float) -> None:
        """Return at once: all of it is shown."""

    def _run(self, build: UUID, view: BuildView) -> None:
        """Show a build until it ends, or can't be shown: whatever that is, the build goes on."""
        if self._ended.wait(PATIENCE_S):
            return
        with suppress(OSError, ValueError):  # nobody can see it
            try:
                self._show(build, view, self._open(view))
            except (OSError, ValueError):
                raise
            except Exception as error:
                self._stream.write(f"stardag: progress is shown no more: {error!r}\n")

    def _show(self, build: UUID, view: BuildView, renderer: Renderer) -> None:
        with self._lock:
            if self._status is not None:
                return  # it ended while the renderer was imported
            self._is_shown = True
        try:
            while True:
                renderer.show(self._snapshot(view, renderer.first))
                if self._ended.wait(renderer.period_s):
                    break
            from stardag.build.progress import wording

            assert self._status is not None
            snapshot = self._snapshot(view, renderer.first)
            renderer.end(snapshot, wording.summary(build, self._status, snapshot))
        finally:
            renderer.close()

    def _open(self, view: BuildView) -> Renderer:
        if self._form is Form.LIVE:
            from stardag.build.progress.live import Live  # Rich takes long to import

            return Live(self._stream, view)
        from stardag.build.progress.lines import Lines

        return Lines(self._stream, view)

    def _snapshot(self, view: BuildView, first: int) -> Snapshot:
        with self._lock:
            return self._progress.snapshot(monotonic(), first=first, closed=view.closed)
