"""stardag.v1.LeaseService."""

import re
from collections.abc import Mapping, Sequence
from uuid import UUID

from google.protobuf.duration_pb2 import Duration

from stardag.v1.lease_pb2 import ConcurrencyLimit, Lease, LimitSlots
from stardag.v1.lease_service_pb2 import (
    LEASE_OUTCOME_ACQUIRED,
    AcquireLeaseRequest,
    AcquireLeaseResponse,
    DeleteConcurrencyLimitRequest,
    DeleteConcurrencyLimitResponse,
    LeaseReference,
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
from stardag_server.auth.principal import caller
from stardag_server.domain import limits
from stardag_server.domain.ids import parse_id
from stardag_server.domain.leases import MAX_TTL_US, MAX_WAIT_US, MIN_TTL_US, parse_duration
from stardag_server.domain.pages import Paging
from stardag_server.domain.refusals import RequestInvalid
from stardag_server.domain.texts import checked_name, checked_text
from stardag_server.lease_queues import LeaseQueues
from stardag_server.services.messages import timestamp
from stardag_server.store.leases import HeldLease
from stardag_server.store.queries import AnyRow
from stardag_server.store.store import Store

_DEFAULT_LEASES = 100
_MAX_LEASES = 1_000
_MAX_SLOT_KINDS = 8
_MAX_SLOTS = 1_000_000
_MAX_DESCRIPTION = 1_024
_LIMIT_NAME = re.compile(r"[a-z0-9._-]{1,63}")


class LeaseService:
    """Leases, and limits of concurrency. The contract is in the proto file."""

    def __init__(self, store: Store) -> None:
        self._leases = store.leases
        self._limits = store.limits
        self._queues = LeaseQueues()

    async def acquire_lease(self, request: AcquireLeaseRequest) -> AcquireLeaseResponse:
        """Try to get a lease and its slots."""
        workspace = caller().workspace
        name, slots = checked_name("name", request.name), _slots(request.slots)
        holder = parse_id("holder_id", request.holder_id)
        ttl = _ttl(request.ttl)
        wait = parse_duration("max_wait", request.max_wait, 0, MAX_WAIT_US)
        build = parse_id("build_id", request.build_id) if request.build_id else None

        async def ask() -> AcquireLeaseResponse:
            decision, held = await self._leases.acquire(
                workspace, name, holder, ttl, slots, build=build
            )
            acquired = decision.outcome == LEASE_OUTCOME_ACQUIRED
            return AcquireLeaseResponse(
                outcome=decision.outcome,
                lease=_lease_message(held) if held else None,
                limit=decision.limit,
                retry_after=None if acquired else _duration(decision.retry_after),
            )

        wanted = [(workspace, "lease", name), *((workspace, "limit", limit) for limit in slots)]
        async with self._queues.turn(wanted, wait / 1_000_000) as look_again:
            while True:
                response = await ask()
                if response.outcome == LEASE_OUTCOME_ACQUIRED or not await look_again():
                    return response

    async def renew_leases(self, request: RenewLeasesRequest) -> RenewLeasesResponse:
        """Renew leases of one holder; tell which are lost."""
        tokens = _tokens(request.leases)
        holder = parse_id("holder_id", request.holder_id)
        held = await self._leases.renew(caller().workspace, holder, tokens, _ttl(request.ttl))
        renewed = {lease.row.name for lease in held}
        return RenewLeasesResponse(
            renewed=[_lease_message(lease) for lease in held],
            lost=[name for name in tokens if name not in renewed],
        )

    async def release_leases(self, request: ReleaseLeasesRequest) -> ReleaseLeasesResponse:
        """Give leases back."""
        tokens = _tokens(request.leases)
        holder = parse_id("holder_id", request.holder_id)
        released = await self._leases.release(caller().workspace, holder, tokens)
        self._queues.wake()
        return ReleaseLeasesResponse(released_count=released)

    async def list_leases(self, request: ListLeasesRequest) -> ListLeasesResponse:
        """List the leases that are held, by name."""
        asked = Paging(request, _DEFAULT_LEASES)
        build = parse_id("build_id", request.build_id) if request.build_id else None
        limit = _limit_name("limit", request.limit) if request.limit else ""
        held = await self._leases.held(caller().workspace, limit, build, asked.after, asked.limit)
        leases, token = asked.page(held, _lease_message, lambda lease: lease.row.id)
        return ListLeasesResponse(leases=leases, next_page_token=token)

    async def revoke_lease(self, request: RevokeLeaseRequest) -> RevokeLeaseResponse:
        """Take a lease away from its holder."""
        name = checked_name("name", request.name)
        token = _token("fencing_token", request.fencing_token)
        revoked = await self._leases.revoke(caller().workspace, name, token)
        self._queues.wake()
        return RevokeLeaseResponse(revoked=revoked)

    async def put_concurrency_limit(
        self, request: PutConcurrencyLimitRequest
    ) -> PutConcurrencyLimitResponse:
        """Make or change a concurrency limit."""
        limit = request.limit
        name = _limit_name("limit.name", limit.name)
        if limit.max_slots > _MAX_SLOTS:
            raise RequestInvalid.of("limit.max_slots", f"must be at most {_MAX_SLOTS}")
        checked_text("limit.description", limit.description, _MAX_DESCRIPTION)
        row = await self._limits.put(caller().workspace, name, limit.max_slots, limit.description)
        self._queues.wake()
        return PutConcurrencyLimitResponse(limit=_limit_message(row))

    async def list_concurrency_limits(
        self, request: ListConcurrencyLimitsRequest
    ) -> ListConcurrencyLimitsResponse:
        """List all concurrency limits, by name."""
        rows = await self._limits.all(caller().workspace)
        return ListConcurrencyLimitsResponse(limits=[_limit_message(row) for row in rows])

    async def delete_concurrency_limit(
        self, request: DeleteConcurrencyLimitRequest
    ) -> DeleteConcurrencyLimitResponse:
        """Delete a concurrency limit."""
        await self._limits.delete(caller().workspace, _limit_name("name", request.name))
        return DeleteConcurrencyLimitResponse()


def _limit_name(field: str, name: str) -> str:
    if not _LIMIT_NAME.fullmatch(name):
        raise RequestInvalid.of(field, "must be 1 to 63 of a to z, 0 to 9, '-', '_' and '.'")
    return name


def _ttl(given: Duration) -> int:
    return parse_duration("ttl", given, MIN_TTL_US, MAX_TTL_US)


def _token(field: str, token: int) -> int:
    if token > limits.MAX_INT64:
        raise RequestInvalid.of(field, "is none that was ever given out")
    return token


def _slots(slots: Sequence[LimitSlots]) -> dict[str, int]:
    if len(slots) > _MAX_SLOT_KINDS:
        raise RequestInvalid.of("slots", f"must name at most {_MAX_SLOT_KINDS} limits")
    wanted: dict[str, int] = {}
    for index, one in enumerate(slots):
        limit = _limit_name(f"slots[{index}].limit", one.limit)
        if limit in wanted:
            raise RequestInvalid.of(f"slots[{index}].limit", "is named twice")
        if one.slots > _MAX_SLOTS:
            raise RequestInvalid.of(f"slots[{index}].slots", f"must be at most {_MAX_SLOTS}")
        wanted[limit] = one.slots or 1
    return wanted


def _tokens(references: Sequence[LeaseReference]) -> Mapping[str, int]:
    if len(references) > _MAX_LEASES:
        raise RequestInvalid.of("leases", f"must be at most {_MAX_LEASES}")
    tokens: dict[str, int] = {}
    for index, one in enumerate(references):
        name = checked_name(f"leases[{index}].name", one.name)
        token = _token(f"leases[{index}].fencing_token", one.fencing_token)
        if tokens.setdefault(name, token) != token:
            raise RequestInvalid.of(f"leases[{index}]", "is named twice, with different tokens")
    return tokens


def _duration(microseconds: int) -> Duration:
    seconds, rest = divmod(microseconds, 1_000_000)
    return Duration(seconds=seconds, nanos=rest * 1_000)


def _lease_message(lease: HeldLease) -> Lease:
    row = lease.row
    holder: UUID | None = row.holder
    return Lease(
        name=row.name,
        holder_id=str(holder or ""),
        fencing_token=row.fencing_token,
        slots=[LimitSlots(limit=limit, slots=count) for limit, count in lease.slots.items()],
        build_id=str(row.build_uuid or ""),
        acquire_time=timestamp(row.acquire_time),
        expire_time=timestamp(row.expire_time),
        time_left=_duration(max(0, row.expire_time - lease.now)),
    )


def _limit_message(row: AnyRow) -> ConcurrencyLimit:
    return ConcurrencyLimit(
        name=row.name,
        max_slots=row.max_slots,
        used_slots=row.used_slots,
        description=row.description,
    )
