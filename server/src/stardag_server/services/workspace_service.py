"""stardag.v1.WorkspaceService."""

from operator import attrgetter
from typing import Any

from stardag.v1.auth_pb2 import SCOPE_OPERATOR
from stardag.v1.workspace_pb2 import Workspace, WorkspaceLimits
from stardag.v1.workspace_service_pb2 import (
    CreateWorkspaceRequest,
    CreateWorkspaceResponse,
    GetWorkspaceRequest,
    GetWorkspaceResponse,
    ListWorkspacesRequest,
    ListWorkspacesResponse,
    UpdateWorkspaceRequest,
    UpdateWorkspaceResponse,
)
from stardag_server.auth.principal import caller
from stardag_server.domain.pages import Paging
from stardag_server.domain.refusals import RequestInvalid, ScopeMissing, WorkspaceExists
from stardag_server.domain.retention import RetentionPolicy
from stardag_server.domain.scopes import held
from stardag_server.domain.workspace import (
    changed,
    check_mask,
    check_workspace,
    retention_message,
    stored_limits,
    stored_retention,
    with_defaults,
)
from stardag_server.services.messages import timestamp
from stardag_server.store.queries import AnyRow
from stardag_server.store.store import Store
from stardag_server.usage import Usage

_DEFAULT_WORKSPACES = 50


class WorkspaceService:
    """The workspace of the caller, and the list of all. The contract is in the proto file."""

    def __init__(self, store: Store, policy: RetentionPolicy, usage: Usage) -> None:
        self._workspaces = store.workspaces
        self._policy = policy
        self._usage = usage

    async def get_workspace(self, request: GetWorkspaceRequest) -> GetWorkspaceResponse:
        """Return the workspace of the caller."""
        row = await self._workspaces.get(caller().workspace)
        return GetWorkspaceResponse(workspace=self._message(row))

    async def update_workspace(self, request: UpdateWorkspaceRequest) -> UpdateWorkspaceResponse:
        """Change the workspace of the caller."""
        given, paths = request.workspace, request.update_mask.paths
        check_mask(paths)
        if any(path.startswith("limits") for path in paths):
            _check_operator()

        def change(row: AnyRow) -> dict[str, Any]:
            if given.name and given.name != row.name:
                raise RequestInvalid.of("workspace.name", f"must be {row.name!r}: it never changes")
            workspace = changed(_stored(row), given, paths)
            check_workspace(workspace)
            return _columns(workspace)

        row = await self._workspaces.update(caller().workspace, given.etag, change)
        await self._usage.refresh()
        return UpdateWorkspaceResponse(workspace=self._message(row))

    async def list_workspaces(self, request: ListWorkspacesRequest) -> ListWorkspacesResponse:
        """List all workspaces, by name."""
        asked = Paging(request, _DEFAULT_WORKSPACES)
        rows = await self._workspaces.page(asked.after, asked.limit)
        workspaces, token = asked.page(rows, self._message, attrgetter("id"))
        return ListWorkspacesResponse(workspaces=workspaces, next_page_token=token)

    async def create_workspace(self, request: CreateWorkspaceRequest) -> CreateWorkspaceResponse:
        """Make a workspace."""
        check_workspace(request.workspace)
        columns = _columns(request.workspace)
        row = await self._workspaces.ensure(request.workspace.name, **columns)
        await self._usage.refresh()
        if any(getattr(row, column) != value for column, value in columns.items()):
            raise WorkspaceExists(row.name)
        return CreateWorkspaceResponse(workspace=self._message(row))

    def _message(self, row: AnyRow) -> Workspace:
        return with_defaults(_stored(row), self._policy)


def _check_operator() -> None:
    if SCOPE_OPERATOR not in held(caller().scopes):
        raise ScopeMissing("OPERATOR")


def _columns(workspace: Workspace) -> dict[str, Any]:
    return {
        "display_name": workspace.display_name,
        "description": workspace.description,
        "target_roots": dict(workspace.target_roots),
        "limits": stored_limits(workspace),
        "retention": stored_retention(workspace),
    }


def _stored(row: AnyRow) -> Workspace:
    """Return the workspace as it is stored: without the server's defaults."""
    return Workspace(
        name=row.name,
        display_name=row.display_name,
        description=row.description,
        target_roots=row.target_roots,
        limits=WorkspaceLimits(**row.limits),
        retention=retention_message(row.retention),
        create_time=timestamp(row.create_time),
        etag=str(row.revision),
    )
