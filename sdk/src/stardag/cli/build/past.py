"""What the service knows of tasks that a build would run or reuse, in a few words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stardag.cli.lists import filters, producers, records
from stardag.cli.views import cells
from stardag.v1.registry_service_pb2 import ListTasksRequest
from stardag.v1.task_pb2 import TaskStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stardag._task import BaseTask
    from stardag.client import Client
    from stardag.v1.task_pb2 import Task


def read_past(client: Client, tasks: Sequence[BaseTask]) -> dict[str, str]:
    """Return what is known of each of `tasks`, by id.

    Raises `ServerError`.
    """
    by_id = {str(task.id): task for task in tasks}
    ids = list(by_id)
    told = {made.task_id: f"build {made.build_id} made it" for made in producers.find(client, ids)}
    unmade = [task_id for task_id in ids if task_id not in told]
    had = (each for each in records.find(client, unmade) if each.latest_state.build_id)
    known = {task.task_id: task for task in had}
    types = _Types(client)
    for task_id in unmade:
        task = known.get(task_id)
        told[task_id] = _unmade(task) if task is not None else types.told_of(by_id[task_id])
    return told


def _unmade(task: Task) -> str:
    state = task.latest_state
    if state.status == TaskStatus.TASK_STATUS_FAILED:
        return f"it failed in build {state.build_id}: {cells.reason(state.failure)}"
    return f"no build has made it; in build {state.build_id} it is {cells.task_status(state)}"


class _Types:
    """What is known of the types of tasks that no build has had; each is asked about once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._versions: dict[tuple[str, str], str | None] = {}

    def told_of(self, task: BaseTask) -> str:
        name = (task.get_namespace(), task.get_name())
        if name not in self._versions:
            self._versions[name] = self._latest_version(*name)
        before = self._versions[name]
        if before is None:
            return "no build has had a task of its type"
        if before != task.version:
            return f"its version is {task.version!r}, and the latest of its type has {before!r}"
        return "its id is new: no build has had it"

    def _latest_version(self, namespace: str, name: str) -> str | None:
        wanted = filters.both(filters.equals("namespace", namespace), filters.equals("name", name))
        request = ListTasksRequest(filter=wanted, page_size=1)
        tasks = self._client.registry.ListTasks(request).tasks
        return tasks[0].version if tasks else None
