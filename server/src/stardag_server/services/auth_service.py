"""stardag.v1.AuthService."""

from stardag.v1.auth_service_pb2 import (
    CreateKeyRequest,
    CreateKeyResponse,
    GetCallerRequest,
    GetCallerResponse,
    ListKeysRequest,
    ListKeysResponse,
    RevokeKeyRequest,
    RevokeKeyResponse,
)
from stardag_server.domain.refusals import NotImplementedHere
from stardag_server.store.store import Store


class AuthService:
    """Tells who calls, and makes and revokes keys. The contract is in the proto file."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get_caller(self, request: GetCallerRequest) -> GetCallerResponse:
        """Tell the caller who it is and what it may do."""
        raise NotImplementedHere("GetCaller")

    async def create_key(self, request: CreateKeyRequest) -> CreateKeyResponse:
        """Make a key and return its secret, this once."""
        raise NotImplementedHere("CreateKey")

    async def list_keys(self, request: ListKeysRequest) -> ListKeysResponse:
        """List the keys of the workspace, newest first."""
        raise NotImplementedHere("ListKeys")

    async def revoke_key(self, request: RevokeKeyRequest) -> RevokeKeyResponse:
        """End a key."""
        raise NotImplementedHere("RevokeKey")
