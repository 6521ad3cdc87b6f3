"""stardag.v1.WorkspaceService."""

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
from stardag_server.domain.refusals import NotImplementedHere
from stardag_server.store.store import Store


class WorkspaceService:
    """The workspace of the caller, and the list of all. The contract is in the proto file."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get_workspace(self, request: GetWorkspaceRequest) -> GetWorkspaceResponse:
        """Return the workspace of the caller."""
        raise NotImplementedHere("GetWorkspace")

    async def update_workspace(self, request: UpdateWorkspaceRequest) -> UpdateWorkspaceResponse:
        """Change the workspace of the caller."""
        raise NotImplementedHere("UpdateWorkspace")

    async def list_workspaces(self, request: ListWorkspacesRequest) -> ListWorkspacesResponse:
        """List all workspaces, by name."""
        raise NotImplementedHere("ListWorkspaces")

    async def create_workspace(self, request: CreateWorkspaceRequest) -> CreateWorkspaceResponse:
        """Make a workspace."""
        raise NotImplementedHere("CreateWorkspace")
