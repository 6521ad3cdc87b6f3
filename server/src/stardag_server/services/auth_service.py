"""stardag.v1.AuthService."""

from collections.abc import Sequence
from operator import attrgetter

from google.protobuf.duration_pb2 import Duration

from stardag.v1.auth_pb2 import SCOPE_OPERATOR, SCOPE_UNSPECIFIED, Key, Scope
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
from stardag_server.auth.issuing import Issuing
from stardag_server.auth.principal import Principal, caller
from stardag_server.domain import limits
from stardag_server.domain.leases import parse_duration
from stardag_server.domain.pages import Paging
from stardag_server.domain.refusals import RequestInvalid, ScopeMissing
from stardag_server.domain.texts import checked_name, checked_text
from stardag_server.services.messages import timestamp
from stardag_server.store.queries import AnyRow
from stardag_server.store.store import Store

_DEFAULT_KEYS = 50
_MIN_TTL_US = 60_000_000
_MAX_TTL_US = 100 * 366 * 86_400_000_000


class AuthService:
    """Tells who calls, and makes and revokes keys. The contract is in the proto file."""

    def __init__(self, store: Store, issuing: Issuing) -> None:
        self._store = store
        self._issuing = issuing

    async def get_caller(self, request: GetCallerRequest) -> GetCallerResponse:
        """Tell the caller who it is and what it may do."""
        principal = caller()
        return GetCallerResponse(
            principal=principal.name,
            workspace=principal.workspace_name,
            scopes=sorted(principal.scopes),
            expire_time=timestamp(principal.expire_time),
        )

    async def create_key(self, request: CreateKeyRequest) -> CreateKeyResponse:
        """Make a key and return its secret, this once."""
        checked_name("display_name", request.display_name)
        checked_text("workspace", request.workspace, limits.MAX_NAME)
        principal = caller()
        _check_scopes(request.scopes, principal)
        row, secret = await self._issuing.create(
            await self._workspace(request.workspace, principal),
            request.display_name,
            request.scopes,
            principal.name,
            _ttl(request),
        )
        return CreateKeyResponse(key=_key_message(row), secret=secret)

    async def list_keys(self, request: ListKeysRequest) -> ListKeysResponse:
        """List the keys of the workspace, newest first."""
        asked = Paging(request, _DEFAULT_KEYS)
        rows = await self._issuing.keys.page(
            caller().workspace, asked.after, asked.limit, request.show_ended
        )
        keys, token = asked.page(rows, _key_message, attrgetter("id"))
        return ListKeysResponse(keys=keys, next_page_token=token)

    async def revoke_key(self, request: RevokeKeyRequest) -> RevokeKeyResponse:
        """End a key."""
        key_id = checked_name("key_id", request.key_id)
        row = await self._issuing.revoke(caller().workspace, key_id)
        return RevokeKeyResponse(key=_key_message(row))

    async def _workspace(self, name: str, principal: Principal) -> int:
        if not name or name == principal.workspace_name:
            return principal.workspace
        if SCOPE_OPERATOR not in principal.scopes:
            raise ScopeMissing("OPERATOR")
        return await self._store.workspaces.named(name)


def _check_scopes(asked: Sequence[Scope.ValueType], principal: Principal) -> None:
    if not asked:
        raise RequestInvalid.of("scopes", "must have at least one")
    for number, scope in enumerate(asked):
        if scope == SCOPE_UNSPECIFIED or scope not in Scope.values():
            raise RequestInvalid.of(f"scopes[{number}]", "is not a scope of this version")
        if scope not in principal.scopes:
            raise ScopeMissing(Scope.Name(scope).removeprefix("SCOPE_"))


def _ttl(request: CreateKeyRequest) -> int:
    if not request.HasField("ttl"):
        return 0
    ttl: Duration = request.ttl
    return parse_duration("ttl", ttl, _MIN_TTL_US, _MAX_TTL_US)


def _key_message(row: AnyRow) -> Key:
    return Key(
        key_id=row.key_id,
        display_name=row.display_name,
        scopes=row.scopes,
        created_by=row.created_by,
        create_time=timestamp(row.create_time),
        expire_time=timestamp(row.expire_time),
        last_used_time=timestamp(row.last_used_time),
        revoke_time=timestamp(row.revoke_time),
    )
