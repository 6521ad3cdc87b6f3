"""Which attempts made the outputs of tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stardag.v1.registry_service_pb2 import FindProducersRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stardag.client import Client
    from stardag.v1.registry_service_pb2 import Producer

AT_ONCE = 1_000
"""Most tasks that one call may ask for."""


def find(client: Client, task_ids: Sequence[str]) -> list[Producer]:
    """Return of each task the latest attempt that completed it; those without are left out.

    Raises `ServerError`.
    """
    found: list[Producer] = []
    for begin in range(0, len(task_ids), AT_ONCE):
        request = FindProducersRequest(task_ids=task_ids[begin : begin + AT_ONCE])
        found += client.registry.FindProducers(request).producers
    return found
