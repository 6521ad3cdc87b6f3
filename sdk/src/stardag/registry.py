"""What the tracking service knows of tasks, read back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from stardag._dag_json import references, tasks_from_bodies
from stardag._provider import Provider

if TYPE_CHECKING:
    from stardag._task import BaseTask
    from stardag.config import Config


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """A task as it was registered."""

    id: UUID
    namespace: str
    name: str
    version: str
    identity_json: str
    """The text that was hashed into the id."""
    params_json: str
    """Every parameter as a JSON object, nested tasks as `{"id": ...}`."""
    output_uri: str
    """Where the output is; empty if the task has no such place."""


class Registry(Protocol):
    """Where task records are read from."""

    def get(self, task_id: UUID) -> TaskRecord:
        """Return the record of a task.

        Raises `stardag.client.NotFoundError` if the task was never defined.
        """
        ...


class ServiceRegistry:
    """The records of the tracking service."""

    def __init__(self, config: Config) -> None:
        """Read from the configured server; a connection is made for each read."""
        self._config = config

    def get(self, task_id: UUID) -> TaskRecord:
        """Return the record of a task. Raises as `Registry.get`, and `ServerError`."""
        from stardag.client import connect  # only here: building never needs it

        with connect(self._config) as client:
            task = client.get_task(str(task_id))
        return TaskRecord(
            id=task_id,
            namespace=task.namespace,
            name=task.name,
            version=task.version,
            identity_json=task.identity_json,
            params_json=task.params_json,
            output_uri=task.output_uri,
        )


def _configured() -> Registry:
    from stardag.config import get_config

    return ServiceRegistry(get_config())


registry_provider: Provider[Registry] = Provider(_configured)
"""Where `from_registry` reads records; override it in tests."""


def rebuild(task_id: UUID, registry: Registry | None = None) -> BaseTask:
    """Return the task of a record, with all the tasks in its parameters.

    Each record is read once, from `registry` or the one that is provided, however often its
    task occurs. Raises as `Registry.get`, and
    `ValueError` if the class of a task has not been imported.
    """
    registry = registry or registry_provider.get()
    bodies: dict[str, object] = {}
    pending = [str(task_id)]
    while pending:
        key = pending.pop()
        if key not in bodies:
            bodies[key] = body = json.loads(registry.get(UUID(key)).params_json)
            pending.extend(references(body))
    return tasks_from_bodies([str(task_id)], bodies)[0]
