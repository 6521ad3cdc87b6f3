"""Asks the server which attempts made what a build found there, to link its spans to theirs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from uuid import UUID

import grpc.aio

from stardag.tracking.connection import rpc
from stardag.tracking.connection.credential import CredentialError
from stardag.tracking.connection.tls import TlsError
from stardag.v1.registry_service_pb2 import FindProducersRequest
from stardag.v1.registry_service_pb2_grpc import RegistryServiceStub

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from stardag.tracking.sender.uplink import Server

_log = logging.getLogger(__name__)

_AT_ONCE, _CALL_S = 1_000, 2.0
_KEPT = 100_000


class Producers:
    """What the server has said of them. A link is worth one try: spans do not wait for it."""

    def __init__(self, server: Server) -> None:
        """Ask this server."""
        self._server = server
        self._known: dict[str, tuple[UUID, int]] = {}

    async def find(self, tasks: Collection[str]) -> Mapping[str, tuple[UUID, int]]:
        """Return the build and the attempt that completed each of these tasks, where known."""
        missing = [task for task in tasks if task not in self._known]
        if missing:
            if len(self._known) > _KEPT:
                self._known.clear()
            try:
                await self._ask(missing)
            except (grpc.aio.AioRpcError, CredentialError, TlsError) as error:
                _log.warning("spans are not linked to their inputs: %s", error)
        return self._known

    async def _ask(self, tasks: list[str]) -> None:
        metadata = grpc.aio.Metadata(*rpc.bearer(self._server.credential.read()))
        async with rpc.aio_channel(self._server.address, self._server.credential.tls) as channel:
            registry = RegistryServiceStub(channel)
            for begin in range(0, len(tasks), _AT_ONCE):
                request = FindProducersRequest(task_ids=tasks[begin : begin + _AT_ONCE])
                response = await registry.FindProducers(request, metadata=metadata, timeout=_CALL_S)
                for made in response.producers:
                    self._known[made.task_id] = (UUID(made.build_id), made.attempt)
