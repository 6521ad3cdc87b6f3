"""An observer that keeps what it is told."""

from __future__ import annotations

from typing import Any

from stardag.build import BuildInfo, BuildStatus


class Recorder:
    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.ended: BuildStatus | None = None

    def tasks(self, name: str) -> list[Any]:
        return [subject for event, subject, *_ in self.events if event == name]

    def build_started(self, build: BuildInfo) -> None:
        self.events.append(("build_started", build))

    def task_pending(self, task: Any, dependencies: Any) -> None:
        self.events.append(("pending", task, tuple(dependencies)))

    def task_reused(self, task: Any, dependencies: Any) -> None:
        self.events.append(("reused", task))

    def task_started(self, task: Any, attempt: int) -> None:
        self.events.append(("started", task, attempt))

    def task_suspended(self, task: Any, attempt: int, waits_for: Any) -> None:
        self.events.append(("suspended", task, attempt, tuple(waits_for)))

    def task_resumed(self, task: Any, attempt: int) -> None:
        self.events.append(("resumed", task, attempt))

    def task_completed(self, task: Any, attempt: int) -> None:
        self.events.append(("completed", task, attempt))

    def task_failed(self, task: Any, attempt: int, error: BaseException, will_retry: bool) -> None:
        self.events.append(("failed", task, attempt, error))

    def task_skipped(self, task: Any, cause: Any) -> None:
        self.events.append(("skipped", task, cause))

    def task_cancelled(self, task: Any, attempt: int) -> None:
        self.events.append(("cancelled", task, attempt))

    def build_ended(self, status: BuildStatus, reason: str) -> None:
        self.events.append(("build_ended", None, reason))
        self.ended = status

    def wait_delivered(self, timeout: float) -> None:
        self.events.append(("wait_delivered", None, timeout))
