"""AliasTask: the output of a task that can no longer be made, under its old id."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import UUID

from stardag._auto_task import AutoTask
from stardag._polymorphic import StardagBaseModel

if TYPE_CHECKING:
    from typing import Self

    from stardag.registry import Registry

T = TypeVar("T")


class AliasedMetadata(StardagBaseModel):
    """What is known of the task that an alias stands for."""

    id: UUID
    uri: str
    """Where the output is."""
    body: dict[str, Any] | None = None
    """The task's parameters as JSON, if they are known."""
    namespace: str = ""
    name: str = ""
    version: str = ""
    identity_json: str = ""
    """The text that was hashed into the id, if it is known."""


class AliasTask(AutoTask[T], Generic[T]):
    """Stands for an output whose task's class is gone or has changed.

    It has the id of that task, so what depends on it keeps its own, and loads as `T`:
    `AliasTask[int].from_registry(id)`. It is complete when the output exists, and can't be
    made.
    """

    aliased: AliasedMetadata

    @classmethod
    def from_registry(cls, id: UUID, registry: Registry | None = None) -> Self:
        """Return the alias of the task that a registry has under an id.

        The registry is the tracking service unless given.

        Raises `stardag.client.NotFoundError` if it has none.
        """
        from stardag.registry import registry_provider

        record = (registry or registry_provider.get()).get(id)
        return cls(
            aliased=AliasedMetadata(
                id=id,
                uri=record.output_uri,
                body=json.loads(record.params_json),
                namespace=record.namespace,
                name=record.name,
                version=record.version,
                identity_json=record.identity_json,
            )
        )

    def identity_json(self) -> str:
        """Return the text that was hashed into the aliased task's id; empty if not known."""
        return self.aliased.identity_json

    def _make_id(self, namespace: UUID) -> tuple[UUID, str]:
        return self.aliased.id, ""

    @property
    def _relpath(self) -> str:
        return self.aliased.uri

    def __repr__(self) -> str:
        return f"AliasTask({self.aliased.name} {self.aliased.id})"
