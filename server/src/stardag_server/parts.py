"""The parts of the server behind its port, and how they are put together."""

from collections.abc import Coroutine
from typing import Any

from google.protobuf.descriptor import ServiceDescriptor

from stardag.v1 import (
    admin_service_pb2,
    asset_service_pb2,
    auth_service_pb2,
    build_service_pb2,
    event_service_pb2,
    lease_service_pb2,
    registry_service_pb2,
    workspace_service_pb2,
)
from stardag_server.auth.issuing import Issuing
from stardag_server.cancels import Cancels
from stardag_server.domain.retention import RetentionPolicy
from stardag_server.housekeeping import Housekeeping
from stardag_server.ingest import Ingest
from stardag_server.metrics import Metrics
from stardag_server.news import News
from stardag_server.publishing import Publishing
from stardag_server.services.admin_service import AdminService
from stardag_server.services.asset_service import AssetService
from stardag_server.services.auth_service import AuthService
from stardag_server.services.build_service import BuildService
from stardag_server.services.event_service import EventService
from stardag_server.services.lease_service import LeaseService
from stardag_server.services.registry_service import RegistryService
from stardag_server.services.workspace_service import WorkspaceService
from stardag_server.store.store import Store
from stardag_server.sweep import Sweep
from stardag_server.usage import Usage
from stardag_server.watch import Watching
from stardag_server.watch_workspace import WorkspaceWatching


class Parts:
    """What answers the calls of one server on one store, and what it does by itself."""

    def __init__(self, store: Store, metrics: Metrics, policy: RetentionPolicy) -> None:
        self._store = store
        self._policy = policy
        self.usage = Usage(store)
        self._news = News(store)
        self._ingest = Ingest(store, self._news.announce, metrics)
        self._cancels = Cancels(store, self._news.announce)
        self._publishing = Publishing(store, self._ingest, self._cancels, self.usage)
        self._watching = Watching(store.queries, self._news.builds)
        self._watching_all = WorkspaceWatching(store.logs, self._news.workspaces)

    def services(self, issuing: Issuing) -> dict[ServiceDescriptor, object]:
        """Return the services of the contract, each with what serves it."""
        store, policy, usage = self._store, self._policy, self.usage
        events = EventService(store, self._publishing, self._watching, self._watching_all, usage)
        served = (
            (admin_service_pb2.DESCRIPTOR, AdminService(store, policy)),
            (asset_service_pb2.DESCRIPTOR, AssetService(store, usage)),
            (auth_service_pb2.DESCRIPTOR, AuthService(store, issuing)),
            (build_service_pb2.DESCRIPTOR, BuildService(store, self._cancels)),
            (event_service_pb2.DESCRIPTOR, events),
            (lease_service_pb2.DESCRIPTOR, LeaseService(store)),
            (registry_service_pb2.DESCRIPTOR, RegistryService(store)),
            (workspace_service_pb2.DESCRIPTOR, WorkspaceService(store, policy, usage)),
        )
        return {file.services_by_name[type(service).__name__]: service for file, service in served}

    def loops(self) -> list[Coroutine[Any, Any, None]]:
        """Return what is to run as long as the server does."""
        return [
            self._ingest.run(),
            self._news.run(),
            self._cancels.run(),
            self.usage.run(),
            Sweep(self._store, self._news.announce).run(),
            Housekeeping(self._store, self._policy).run(),
        ]

    def drain(self) -> None:
        """End all streams, once what they delivered is committed, and all watches."""
        self._publishing.drain()
        self._watching.drain()
        self._watching_all.drain()
