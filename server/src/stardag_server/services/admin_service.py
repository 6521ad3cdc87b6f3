"""stardag.v1.AdminService."""

import tempfile
from collections.abc import AsyncIterator
from importlib.metadata import version
from typing import BinaryIO, cast

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
from stardag_server.archive_file import write_part
from stardag_server.auth.principal import caller
from stardag_server.build_archive import export_build, import_build
from stardag_server.domain import limits
from stardag_server.domain.filter_fields import BUILD_FIELDS
from stardag_server.domain.filters import parse
from stardag_server.domain.ids import parse_id
from stardag_server.domain.refusals import RequestInvalid
from stardag_server.domain.retention import Deleted, RetentionPolicy
from stardag_server.services.messages import build_message, timestamp
from stardag_server.store.store import Store

_ARCHIVE_IN_MEMORY = 8 << 20
"""Bytes above which an archive waits on disk until it is whole."""


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
            yield RunRetentionResponse(progress=_progress(await retention.due(workspace, policy)))
            return
        deleted = Deleted()
        async for deleted in retention.run(workspace, policy):
            yield RunRetentionResponse(progress=_progress(deleted))
        if deleted == Deleted():
            yield RunRetentionResponse(progress=_progress(deleted))

    async def purge_builds(self, request: PurgeBuildsRequest) -> AsyncIterator[PurgeBuildsResponse]:
        """Delete the builds that match a filter; tell as it goes."""
        condition = parse(request.filter, BUILD_FIELDS)
        if condition is None:
            raise RequestInvalid.of("filter", "must not be empty: say which builds")
        workspace, retention = caller().workspace, self._store.retention
        builds = await retention.matching(workspace, condition)
        matched = len(builds)
        deleted = Deleted()
        if request.dry_run:
            deleted = await retention.extent(workspace, builds)
        yield PurgeBuildsResponse(progress=_progress(deleted), matched_builds=matched)
        if not request.dry_run:
            async for deleted in retention.purge(workspace, builds):
                yield PurgeBuildsResponse(progress=_progress(deleted), matched_builds=matched)

    async def export_build(self, request: ExportBuildRequest) -> AsyncIterator[ExportBuildResponse]:
        """Yield a build as the parts of an archive."""
        build = parse_id("build_id", request.build_id)
        async for part in export_build(self._store, caller().workspace, build):
            yield ExportBuildResponse(part=part)

    async def import_build(
        self, requests: AsyncIterator[ImportBuildRequest]
    ) -> ImportBuildResponse:
        """Store the build of an archive."""
        workspace = caller().workspace
        # Nobody's transaction is to wait for a client that sends slowly.
        with tempfile.SpooledTemporaryFile(_ARCHIVE_IN_MEMORY) as file:
            archive = cast(BinaryIO, file)
            async for request in requests:
                write_part(archive, request.part)
            id = await import_build(self._store, workspace, archive)
        row = await self._store.queries.build(workspace, id)
        return ImportBuildResponse(build=build_message(row, row.root_task_ids))


def _progress(deleted: Deleted) -> DeletionProgress:
    return DeletionProgress(
        builds=deleted.builds,
        events=deleted.events,
        tasks=deleted.tasks,
        asset_revisions=deleted.asset_revisions,
    )
