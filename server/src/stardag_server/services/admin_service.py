"""stardag.v1.AdminService."""

from collections.abc import AsyncIterator
from importlib.metadata import version

from stardag.v1.admin_service_pb2 import (
    DeletionProgress,
    ExportBuildRequest,
    ExportBuildResponse,
    GetServerInfoRequest,
    GetServerInfoResponse,
    ImportBuildRequest,
    ImportBuildResponse,
    PurgeBuildsRequest,
    PurgeBuildsResponse,
    RunRetentionRequest,
    RunRetentionResponse,
)
from stardag_server.auth.principal import caller
from stardag_server.domain import limits
from stardag_server.domain.refusals import NotImplementedHere
from stardag_server.domain.retention import Deleted, RetentionPolicy
from stardag_server.services.messages import timestamp
from stardag_server.store.store import Store


class AdminService:
    """Keeps the server in order. The contract is in the proto file."""

    def __init__(self, store: Store, policy: RetentionPolicy) -> None:
        self._store = store
        self._policy = policy

    async def get_server_info(self, request: GetServerInfoRequest) -> GetServerInfoResponse:
        """Return the version and the limits of this server."""
        info = await self._store.info()
        return GetServerInfoResponse(
            version=version("stardag-server"),
            server_time=timestamp(info.now),
            max_message_bytes=limits.MAX_MESSAGE_BYTES,
            max_batch_events=limits.MAX_BATCH_EVENTS,
            max_batch_bytes=limits.MAX_BATCH_BYTES,
            database=info.database,
            schema_revision=info.revision,
        )

    async def run_retention(
        self, request: RunRetentionRequest
    ) -> AsyncIterator[RunRetentionResponse]:
        """Delete what is older than the retention of the workspace says; tell as it goes."""
        workspace, retention = caller().workspace, self._store.retention
        policy = await self._store.workspaces.policy(workspace, self._policy)
        if request.dry_run:
            yield _progress(await retention.due(workspace, policy))
            return
        deleted = Deleted()
        async for deleted in retention.run(workspace, policy):
            yield _progress(deleted)
        if deleted == Deleted():
            yield _progress(deleted)

    def purge_builds(self, request: PurgeBuildsRequest) -> AsyncIterator[PurgeBuildsResponse]:
        """Delete the builds that match a filter; tell as it goes."""
        raise NotImplementedHere("PurgeBuilds")

    def export_build(self, request: ExportBuildRequest) -> AsyncIterator[ExportBuildResponse]:
        """Yield a build as the parts of an archive."""
        raise NotImplementedHere("ExportBuild")

    async def import_build(
        self, requests: AsyncIterator[ImportBuildRequest]
    ) -> ImportBuildResponse:
        """Store the build of an archive."""
        await anext(requests, None)
        raise NotImplementedHere("ImportBuild")


def _progress(deleted: Deleted) -> RunRetentionResponse:
    return RunRetentionResponse(
        progress=DeletionProgress(
            builds=deleted.builds,
            events=deleted.events,
            tasks=deleted.tasks,
            asset_revisions=deleted.asset_revisions,
        )
    )
