"""stardag.v1.LeaseService."""

from stardag.v1.lease_service_pb2 import (
    AcquireLeaseRequest,
    AcquireLeaseResponse,
    DeleteConcurrencyLimitRequest,
    DeleteConcurrencyLimitResponse,
    ListConcurrencyLimitsRequest,
    ListConcurrencyLimitsResponse,
    ListLeasesRequest,
    ListLeasesResponse,
    PutConcurrencyLimitRequest,
    PutConcurrencyLimitResponse,
    ReleaseLeasesRequest,
    ReleaseLeasesResponse,
    RenewLeasesRequest,
    RenewLeasesResponse,
    RevokeLeaseRequest,
    RevokeLeaseResponse,
)
from stardag_server.domain.refusals import NotImplementedHere
from stardag_server.store.store import Store


class LeaseService:
    """Leases, and limits of concurrency. The contract is in the proto file."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def acquire_lease(self, request: AcquireLeaseRequest) -> AcquireLeaseResponse:
        """Try to get a lease and its slots."""
        raise NotImplementedHere("AcquireLease")

    async def renew_leases(self, request: RenewLeasesRequest) -> RenewLeasesResponse:
        """Renew leases of one holder; tell which are lost."""
        raise NotImplementedHere("RenewLeases")

    async def release_leases(self, request: ReleaseLeasesRequest) -> ReleaseLeasesResponse:
        """Give leases back."""
        raise NotImplementedHere("ReleaseLeases")

    async def list_leases(self, request: ListLeasesRequest) -> ListLeasesResponse:
        """List the leases that are held, by name."""
        raise NotImplementedHere("ListLeases")

    async def revoke_lease(self, request: RevokeLeaseRequest) -> RevokeLeaseResponse:
        """Take a lease away from its holder."""
        raise NotImplementedHere("RevokeLease")

    async def put_concurrency_limit(
        self, request: PutConcurrencyLimitRequest
    ) -> PutConcurrencyLimitResponse:
        """Make or change a concurrency limit."""
        raise NotImplementedHere("PutConcurrencyLimit")

    async def list_concurrency_limits(
        self, request: ListConcurrencyLimitsRequest
    ) -> ListConcurrencyLimitsResponse:
        """List all concurrency limits, by name."""
        raise NotImplementedHere("ListConcurrencyLimits")

    async def delete_concurrency_limit(
        self, request: DeleteConcurrencyLimitRequest
    ) -> DeleteConcurrencyLimitResponse:
        """Delete a concurrency limit."""
        raise NotImplementedHere("DeleteConcurrencyLimit")
