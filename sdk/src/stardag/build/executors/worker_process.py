"""A process of the `ProcessExecutor`, as its parent sees it."""

from __future__ import annotations

import os
import signal
import time
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from stardag._dag_json import bodies_of, tasks_from_bodies
from stardag._errors import StardagError, WorkerDiedError
from stardag._identified import id_text
from stardag._registry import defining_modules
from stardag.build.attempt import End, Failed, Suspended, output_missing, timed_out
from stardag.build.executors import worker
from stardag.build.report import Progressed, Shown
from stardag.target import target_factory_provider

if TYPE_CHECKING:
    from stardag._task import BaseTask
    from stardag.build.attempt import Attempt, Outcome

GRACE_S = 5.0
"""How long a task that is asked to stop may take, before its process is killed."""
_LOOK_EVERY_S = 1.0
_MASK = "**********"  # what Pydantic writes for a secret


class WorkerProcess:
    """A process that runs one attempt at a time, and what it knows of."""

    def __init__(self) -> None:
        """Start the process."""
        context = get_context("forkserver")
        context.set_forkserver_preload(["stardag.build.executors.worker"])
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=worker.main, args=(theirs,), name="stardag-worker")
        self._process.start()
        theirs.close()
        self._known: set[str] = set()
        self._modules_sent = 0
        self._greeted = False
        self.attempt: Attempt | None = None
        self.is_alive = True

    def run(self, attempt: Attempt) -> Outcome:
        """Run an attempt to its end, its yield, or the end of the process."""
        self.attempt = attempt
        attempt.begin_running()
        try:
            attempt.check()
            self._send(attempt)
            answer = self._wait(attempt)
            return answer if isinstance(answer, Failed) else self._outcome(attempt.task, answer)
        except (EOFError, ConnectionError):
            return Failed(self._died(attempt.task))
        except Exception as error:  # a parameter that can't travel, a task that can't come back
            return Failed(error)
        finally:
            self.attempt = None

    def interrupt(self) -> None:
        """Have the task raise."""
        if self._process.pid is not None and self.is_alive:
            os.kill(self._process.pid, signal.SIGTERM)

    def end(self) -> None:
        """End the process: by itself if it is idle, else by force."""
        if self.attempt is not None:
            self._process.kill()
        self._connection.close()
        self.is_alive = False

    def _send(self, attempt: Attempt) -> None:
        task = attempt.task
        if not self._greeted:
            roots = target_factory_provider.get().target_roots
            self._connection.send((dict(os.environ), dict(roots) if roots is not None else None))
            self._greeted = True
        modules = defining_modules()
        bodies = bodies_of([task], self._known)
        if _MASK in str(bodies):
            raise StardagError(
                f"{task!r} has a secret among its parameters, or its inputs have, and JSON shows "
                "only its mask to another process: run it in a thread, or read the secret in run"
            )
        self._connection.send(
            worker.Order(
                id_text(task),
                attempt.number,
                modules[self._modules_sent :],
                bodies,
                reports=attempt.report is not None,
                trace=attempt.trace,
            )
        )
        self._modules_sent = len(modules)
        self._known.update(bodies)

    def _wait(self, attempt: Attempt) -> Any:
        """Return the process's answer, or a `Failed` if the attempt was ended by force.

        What the task says until then is passed on.
        """
        stopping_since: float | None = None
        while True:
            now = time.monotonic()
            wait = _LOOK_EVERY_S
            if attempt.deadline is not None:
                wait = min(wait, max(0.0, attempt.deadline - now))
            if self._connection.poll(wait):
                answer = self._connection.recv()
                if not isinstance(answer, Progressed | Shown):
                    return answer
                if attempt.report is not None:
                    attempt.report(attempt, answer)
            now = time.monotonic()
            if attempt.deadline is not None and now >= attempt.deadline:
                self._kill()
                return Failed(timed_out(attempt.task))
            if attempt.stopping is not None:
                stopping_since = stopping_since or now
                if now - stopping_since > GRACE_S:
                    self._kill()
                    return Failed(attempt.stopping)

    def _outcome(self, task: BaseTask, answer: Any) -> Outcome:
        match answer:
            case worker.Done():
                return End.COMPLETED if task.complete() else Failed(output_missing(task))
            case worker.Yielded(roots, bodies):
                return Suspended(None, tasks_from_bodies(roots, bodies))
            case worker.Raised():
                return Failed(answer.error())
            case _:
                raise TypeError(f"the worker answered {answer!r}")

    def _kill(self) -> None:
        self._process.kill()
        self._process.join()
        self.is_alive = False

    def _died(self, task: BaseTask) -> WorkerDiedError:
        self._process.join(GRACE_S)
        self._kill()
        return WorkerDiedError(f"{task!r}: the process that ran it {_how(self._process.exitcode)}")


def _how(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        hint = " (the kernel does so when memory is short)" if name == "SIGKILL" else ""
        return f"was ended by {name}{hint}"
    return (
        f"ended with exit code {exit_code}; if it ended while it started, the build must be "
        'under `if __name__ == "__main__":`'
    )
