"""Attempts in processes of their own, which can be ended by force."""

from __future__ import annotations

import os
from threading import local
from typing import TYPE_CHECKING

from stardag.build.executors.threads import ThreadExecutor

if TYPE_CHECKING:
    from stardag._task import BaseTask
    from stardag.build.attempt import Attempt, Outcome
    from stardag.build.executors.port import Executor
    from stardag.build.executors.worker_process import WorkerProcess


class ProcessExecutor(ThreadExecutor):
    """Runs attempts in processes that a fork server makes, each with a thread here to talk to it.

    A task travels as JSON, once to each process, and is rebuilt there: its class must be defined
    in a module that can be imported, and the build started under `if __name__ == "__main__":`.
    The processes have this one's environment, working directory and target roots.

    A task that yields is run again from its beginning once what it yielded is complete; what it
    yields again is then complete, and it goes on. A process that dies fails the attempt that it
    ran, and another takes its place.
    """

    def __init__(self, max_workers: int | None = None) -> None:
        """Use `max_workers` processes at most; by default as many as there are cores."""
        self._own = local()
        self._workers: list[WorkerProcess] = []
        super().__init__((os.cpu_count() or 1) if max_workers is None else max_workers)

    def choose(self, task: BaseTask) -> Executor:
        """Run everything: a process has an event loop where it is needed."""
        return self

    def stop(self, attempt: Attempt) -> None:
        """Raise `TaskCancelledError` in the task, and kill its process after five seconds."""
        super().stop(attempt)
        for one in self._workers:
            if one.attempt is attempt:
                one.interrupt()

    def close(self) -> None:
        """End the processes: idle ones at once, others by force."""
        super().close()
        workers, self._workers = self._workers, []
        for one in workers:
            one.end()

    def perform(self, attempt: Attempt) -> Outcome:
        """Have the attempt run by this thread's process."""
        from stardag.build.executors.worker_process import WorkerProcess  # multiprocessing is heavy

        current: WorkerProcess | None = getattr(self._own, "worker", None)
        if current is None or not current.is_alive:
            current = self._own.worker = WorkerProcess()
            self._workers.append(current)
        outcome = current.run(attempt)
        if not current.is_alive and current in self._workers:
            self._workers.remove(current)
        return outcome
