"""What is recorded of tasks that are asked for by their ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stardag.v1.registry_service_pb2 import BatchGetTasksRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stardag.client import Client
    from stardag.v1.task_pb2 import Task

AT_ONCE = 1_000
"""Most tasks that one call may ask for."""


def find(client: Client, task_ids: Sequence[str]) -> list[Task]:
    """Return the tasks of these ids, however large they are; those not known are left out.

    Raises `ServerError`.
    """
    found: list[Task] = []
    unread = list(task_ids)
    while unread:
        asked, unread = unread[:AT_ONCE], unread[AT_ONCE:]
        answer = client.registry.BatchGetTasks(BatchGetTasksRequest(task_ids=asked))
        found += answer.tasks
        unread += answer.unread_task_ids
    return found
