"""What a caller must have to call a method: one table, for every method that is served."""

from collections.abc import Iterable, Mapping
from enum import Enum

from stardag.v1.auth_pb2 import (
    SCOPE_ADMIN,
    SCOPE_INGEST,
    SCOPE_OPERATOR,
    SCOPE_READ,
    Scope,
)


class Access(Enum):
    """What a method wants of its caller; the value is a scope, if it is one."""

    PUBLIC = "nothing"
    CREDENTIAL = "a credential"
    INGEST = SCOPE_INGEST
    READ = SCOPE_READ
    ADMIN = SCOPE_ADMIN
    OPERATOR = SCOPE_OPERATOR


_METHODS: Mapping[str, Mapping[str, Access]] = {
    "stardag.v1.AdminService": {
        "GetServerInfo": Access.CREDENTIAL,
        "RunRetention": Access.ADMIN,
        "PurgeBuilds": Access.ADMIN,
        "ExportBuild": Access.READ,
        "ImportBuild": Access.ADMIN,
    },
    "stardag.v1.AssetService": {
        "PutAsset": Access.INGEST,
        "UploadAsset": Access.INGEST,
        "GetAsset": Access.READ,
        "DownloadAsset": Access.READ,
        "ListAssets": Access.READ,
        "DeleteAsset": Access.ADMIN,
    },
    "stardag.v1.AuthService": {
        "GetCaller": Access.CREDENTIAL,
        "CreateKey": Access.ADMIN,
        "ListKeys": Access.ADMIN,
        "RevokeKey": Access.ADMIN,
    },
    "stardag.v1.BuildService": {
        "GetBuild": Access.READ,
        "ListBuilds": Access.READ,
        # Who can publish the end of a build can ask for it.
        "CancelBuild": Access.INGEST,
        "ListTaskStates": Access.READ,
        "GetBuildGraph": Access.READ,
        "GetBuildStatistics": Access.READ,
        "ListBuildFailures": Access.READ,
        "ListBlockedTasks": Access.READ,
        "CompareBuilds": Access.READ,
    },
    "stardag.v1.EventService": {
        "PublishEvents": Access.INGEST,
        "PublishEventBatch": Access.INGEST,
        "WatchBuild": Access.READ,
        "WatchEvents": Access.READ,
        "ListEvents": Access.READ,
        "ListRejectedEvents": Access.READ,
    },
    "stardag.v1.LeaseService": {
        "AcquireLease": Access.INGEST,
        "RenewLeases": Access.INGEST,
        "ReleaseLeases": Access.INGEST,
        "ListLeases": Access.READ,
        "RevokeLease": Access.ADMIN,
        "PutConcurrencyLimit": Access.ADMIN,
        "ListConcurrencyLimits": Access.READ,
        "DeleteConcurrencyLimit": Access.ADMIN,
    },
    "stardag.v1.RegistryService": {
        "RegisterTasks": Access.INGEST,
        "GetTask": Access.READ,
        "BatchGetTasks": Access.READ,
        "ListTasks": Access.READ,
        "SuggestFilterValues": Access.READ,
        "GetLineage": Access.READ,
        "ExplainTask": Access.READ,
        "GetTaskHistory": Access.READ,
        # A build's trace links to what made its inputs, whatever its key may do.
        "FindProducers": Access.CREDENTIAL,
    },
    "stardag.v1.WorkspaceService": {
        # A build reads its target roots here, whatever its key may do.
        "GetWorkspace": Access.CREDENTIAL,
        "UpdateWorkspace": Access.ADMIN,
        "ListWorkspaces": Access.OPERATOR,
        "CreateWorkspace": Access.OPERATOR,
    },
    "grpc.health.v1.Health": {"Check": Access.PUBLIC, "Watch": Access.PUBLIC},
    "grpc.reflection.v1.ServerReflection": {"ServerReflectionInfo": Access.CREDENTIAL},
    "grpc.reflection.v1alpha.ServerReflection": {"ServerReflectionInfo": Access.CREDENTIAL},
}

ACCESS: Mapping[str, Access] = {
    f"/{service}/{method}": access
    for service, methods in _METHODS.items()
    for method, access in methods.items()
}
"""What each method wants, by its full name. A method without a row is nobody's."""

_INCLUDED: Mapping[Scope.ValueType, tuple[Scope.ValueType, ...]] = {
    SCOPE_ADMIN: (SCOPE_INGEST, SCOPE_READ),
    SCOPE_OPERATOR: (SCOPE_ADMIN, SCOPE_INGEST, SCOPE_READ),
}


def held(scopes: Iterable[Scope.ValueType]) -> frozenset[Scope.ValueType]:
    """Return the scopes with those that they include."""
    given = frozenset(scopes)
    return given.union(*(_INCLUDED.get(scope, ()) for scope in given))


def allows(scopes: Iterable[Scope.ValueType], method: str) -> bool:
    """Tell whether a credential with these scopes may call the method."""
    access = ACCESS.get(method)
    if access is None:
        return False
    return access in (Access.PUBLIC, Access.CREDENTIAL) or access.value in held(scopes)


def wanted(method: str) -> str:
    """Return the name of the scope that the method wants; empty for a method without a row."""
    access = ACCESS.get(method)
    return access.name if access else ""
