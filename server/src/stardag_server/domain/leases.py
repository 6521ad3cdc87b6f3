"""The rules of leases and concurrency limits. Times are microseconds of the database's clock."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from google.protobuf.duration_pb2 import Duration

from stardag.v1.lease_service_pb2 import (
    LEASE_OUTCOME_ACQUIRED,
    LEASE_OUTCOME_HELD,
    LEASE_OUTCOME_LIMIT_REACHED,
    LeaseOutcome,
)
from stardag_server.domain.refusals import RequestInvalid

MIN_TTL_US, MAX_TTL_US = 5_000_000, 3_600_000_000
MAX_WAIT_US = 60_000_000
_LOOK_AGAIN_US = 1_000_000
"""When to ask again for what may be given back at any time."""


@dataclass(frozen=True, slots=True)
class LeaseState:
    """A lease as it was last had. It stays after its end, so that its token is never had again."""

    holder: UUID | None = None
    fencing_token: int = 0
    expire_time: int = 0

    def is_held(self, now: int) -> bool:
        """Tell whether somebody holds it. At its end it is over."""
        return self.holder is not None and self.expire_time > now

    def is_held_by(self, holder: UUID, fencing_token: int, now: int) -> bool:
        """Tell whether it is still the lease that this holder got with this token.

        What is over is not taken up again, even if nobody else had it meanwhile:
        its slots may have been given to others.
        """
        return self.is_held(now) and (self.holder, self.fencing_token) == (holder, fencing_token)


@dataclass(frozen=True, slots=True)
class LimitUse:
    """A concurrency limit that somebody wants slots of."""

    name: str
    max_slots: int
    used_by_others: int
    wanted: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of the wish to have a lease."""

    outcome: LeaseOutcome.ValueType
    anew: bool = False
    """Whether it is had with a new token; if not, and ACQUIRED, the holder had it already."""
    limit: str = ""
    retry_after: int = 0


def decide(lease: LeaseState, holder: UUID, uses: Iterable[LimitUse], now: int) -> Decision:
    """Decide whether this holder gets the lease, and all the slots, or nothing."""
    held = lease.is_held(now)
    if held and lease.holder != holder:
        return Decision(
            LEASE_OUTCOME_HELD, retry_after=min(lease.expire_time - now, _LOOK_AGAIN_US)
        )
    for use in uses:
        if use.used_by_others + use.wanted > use.max_slots:
            return Decision(LEASE_OUTCOME_LIMIT_REACHED, limit=use.name, retry_after=_LOOK_AGAIN_US)
    return Decision(LEASE_OUTCOME_ACQUIRED, anew=not held)


def parse_duration(field: str, given: Duration, least: int, most: int) -> int:
    """Return a request's duration in microseconds. Raises RequestInvalid outside the bounds."""
    microseconds = given.seconds * 1_000_000 + given.nanos // 1_000
    if not least <= microseconds <= most:
        raise RequestInvalid.of(field, f"must be {least // 1_000_000} s to {most // 1_000_000} s")
    return microseconds
