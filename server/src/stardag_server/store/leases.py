"""Leases and the slots that they take up.

Every change locks its leases first, by name, and then the limits, by name; it
looks at the clock and at what is in use only then. So what two callers do at
once is as if one had come after the other, on all replicas.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from stardag.v1.lease_service_pb2 import LEASE_OUTCOME_ACQUIRED
from stardag_server.domain.leases import Decision, LeaseState, LimitUse, decide
from stardag_server.domain.refusals import LimitNotFound, PageTokenInvalid
from stardag_server.store.database import Database, clock
from stardag_server.store.queries import AnyRow
from stardag_server.store.schema import ConcurrencyLimit, LeaseSlots
from stardag_server.store.schema import Lease as LeaseTable

_LEASE = tuple(LeaseTable.__table__.c)


@dataclass(frozen=True, slots=True)
class HeldLease:
    """A lease that was held when it was looked at, which was at `now`."""

    row: AnyRow
    slots: Mapping[str, int]
    now: int


class Leases:
    """The leases of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def acquire(
        self,
        workspace: int,
        name: str,
        holder: UUID,
        ttl: int,
        slots: Mapping[str, int],
        *,
        build: UUID | None = None,
    ) -> tuple[Decision, HeldLease | None]:
        """Try to get a lease for `ttl` microseconds; return it, or whose it is.

        The lease is None when a limit is reached. Raises LimitNotFound.
        """
        async with self._database.write() as connection:
            row = await self._lock_or_make(connection, workspace, name)
            limits = await _lock_limits(connection, workspace, slots)
            used = await _used_slots(connection, [limit.id for limit in limits], but=row.id)
            now = await _now(connection)
            uses = [
                LimitUse(one.name, one.max_slots, used.get(one.id, 0), slots[one.name])
                for one in limits
            ]
            decision = decide(_state(row), holder, uses, now)
            if decision.limit:
                return decision, None
            if decision.outcome == LEASE_OUTCOME_ACQUIRED:
                changes: dict[str, Any] = {"build_uuid": build, "expire_time": now + ttl}
                if decision.anew:
                    changes |= {"holder": holder, "acquire_time": now}
                    changes["fencing_token"] = await self._next_token(connection)
                row = await _update(connection, row.id, changes)
                await _replace_slots(
                    connection, row.id, {one.id: slots[one.name] for one in limits}
                )
            (held,) = await _with_slots(connection, [row], now)
        return decision, held

    async def renew(
        self, workspace: int, holder: UUID, tokens: Mapping[str, int], ttl: int
    ) -> list[HeldLease]:
        """Hold these leases for `ttl` microseconds from now; return those that are not lost."""
        async with self._database.write() as connection:
            rows = await _lock(connection, workspace, tokens)
            # Whoever counts the slots in use decides before this, or after it.
            await _lock_limits_of(connection, [row.id for row in rows])
            now = await _now(connection)
            held = [row for row in rows if _is_held_by(row, holder, tokens, now)]
            renewed = [
                await _update(connection, row.id, {"expire_time": now + ttl}) for row in held
            ]
            return await _with_slots(connection, renewed, now)

    async def release(self, workspace: int, holder: UUID, tokens: Mapping[str, int]) -> int:
        """End these leases, those that the holder still has; return how many."""
        async with self._database.write() as connection:
            rows = await _lock(connection, workspace, tokens)
            now = await _now(connection)
            held = [row.id for row in rows if _is_held_by(row, holder, tokens, now)]
            await _end(connection, held)
        return len(held)

    async def revoke(self, workspace: int, name: str, fencing_token: int) -> bool:
        """End a lease, whoever holds it; tell whether it was held with this token."""
        async with self._database.write() as connection:
            rows = await _lock(connection, workspace, [name])
            now = await _now(connection)
            held = [
                row.id
                for row in rows
                if _state(row).is_held(now) and row.fencing_token == fencing_token
            ]
            await _end(connection, held)
        return bool(held)

    async def held(
        self, workspace: int, limit: str, build: UUID | None, after: int | None, count: int
    ) -> list[HeldLease]:
        """Return leases that are held, by name, after the one with the key `after`.

        Raises PageTokenInvalid if that one is gone, and with it the place where it stood.
        """
        async with self._database.read() as connection:
            now = await _now(connection)
            query = sa.select(*_LEASE).where(
                LeaseTable.workspace_id == workspace,
                LeaseTable.expire_time > now,
                LeaseTable.holder.is_not(None),
            )
            if after is not None:
                place = sa.select(LeaseTable.name).where(LeaseTable.id == after)
                last = (await connection.execute(place)).scalar()
                if last is None:
                    raise PageTokenInvalid
                query = query.where(LeaseTable.name > last)
            if build is not None:
                query = query.where(LeaseTable.build_uuid == build)
            if limit:
                takers = (
                    sa.select(LeaseSlots.lease_id)
                    .join(ConcurrencyLimit, ConcurrencyLimit.id == LeaseSlots.limit_id)
                    .where(ConcurrencyLimit.workspace_id == workspace)
                    .where(ConcurrencyLimit.name == limit)
                )
                query = query.where(LeaseTable.id.in_(takers))
            rows = await connection.execute(query.order_by(LeaseTable.name).limit(count))
            return await _with_slots(connection, rows.all(), now)

    async def _lock_or_make(self, connection: AsyncConnection, workspace: int, name: str) -> AnyRow:
        rows = await _lock(connection, workspace, [name])
        if not rows:
            new = {"workspace_id": workspace, "name": name}
            new["fencing_token"] = await self._next_token(connection)
            await connection.execute(
                self._database.insert(LeaseTable).values(new).on_conflict_do_nothing()
            )
            rows = await _lock(connection, workspace, [name])
        return rows[0]

    async def _next_token(self, connection: AsyncConnection) -> int:
        """Return a token above all others; asked for under the lock of the lease it is for."""
        if self._database.postgres:
            table, column = LeaseTable.__tablename__, LeaseTable.fencing_token.key
            next = sa.func.nextval(sa.func.pg_get_serial_sequence(table, column))
        else:
            next = sa.func.coalesce(sa.func.max(LeaseTable.fencing_token), 0) + 1
        return (await connection.execute(sa.select(next))).scalar_one()


async def _now(connection: AsyncConnection) -> int:
    return (await connection.execute(sa.select(clock(connection)))).scalar_one()


def _state(row: AnyRow) -> LeaseState:
    return LeaseState(row.holder, row.fencing_token, row.expire_time)


def _is_held_by(row: AnyRow, holder: UUID, tokens: Mapping[str, int], now: int) -> bool:
    return _state(row).is_held_by(holder, tokens[row.name], now)


async def _lock(
    connection: AsyncConnection, workspace: int, names: Collection[str]
) -> Sequence[AnyRow]:
    query = (
        sa.select(*_LEASE)
        .where(LeaseTable.workspace_id == workspace, LeaseTable.name.in_(names))
        .order_by(LeaseTable.name)
        .with_for_update()
    )
    return (await connection.execute(query)).all()


async def _lock_limits(
    connection: AsyncConnection, workspace: int, names: Collection[str]
) -> Sequence[AnyRow]:
    if not names:
        return ()
    query = (
        sa.select(ConcurrencyLimit.id, ConcurrencyLimit.name, ConcurrencyLimit.max_slots)
        .where(ConcurrencyLimit.workspace_id == workspace, ConcurrencyLimit.name.in_(names))
        .order_by(ConcurrencyLimit.name)
        .with_for_update()
    )
    limits = (await connection.execute(query)).all()
    if unknown := sorted({*names} - {limit.name for limit in limits}):
        raise LimitNotFound(unknown[0])
    return limits


async def _lock_limits_of(connection: AsyncConnection, leases: Sequence[int]) -> None:
    taken = sa.select(LeaseSlots.limit_id).where(LeaseSlots.lease_id.in_(leases))
    await connection.execute(
        sa.select(ConcurrencyLimit.id)
        .where(ConcurrencyLimit.id.in_(taken))
        .order_by(ConcurrencyLimit.name)
        .with_for_update()
    )


async def _used_slots(
    connection: AsyncConnection, limits: Sequence[int], but: int
) -> dict[int, int]:
    """Return the slots in use of these limits, without those of one lease."""
    if not limits:
        return {}
    used = used_slots(connection).where(LeaseSlots.limit_id.in_(limits), LeaseSlots.lease_id != but)
    return {row.limit_id: int(row.used) for row in await connection.execute(used)}


def used_slots(connection: AsyncConnection) -> sa.Select[*tuple[Any, ...]]:
    """Select each limit's key, `limit_id`, with the slots that are in use, `used`, if any."""
    return (
        sa.select(LeaseSlots.limit_id, sa.func.sum(LeaseSlots.slots).label("used"))
        .join(LeaseTable, LeaseTable.id == LeaseSlots.lease_id)
        .where(LeaseTable.expire_time > clock(connection), LeaseTable.holder.is_not(None))
        .group_by(LeaseSlots.limit_id)
    )


async def _replace_slots(connection: AsyncConnection, lease: int, slots: Mapping[int, int]) -> None:
    await connection.execute(sa.delete(LeaseSlots).where(LeaseSlots.lease_id == lease))
    if slots:
        await connection.execute(
            sa.insert(LeaseSlots),
            [{"limit_id": limit, "lease_id": lease, "slots": n} for limit, n in slots.items()],
        )


async def _update(connection: AsyncConnection, lease: int, changes: Mapping[str, Any]) -> AnyRow:
    update = sa.update(LeaseTable).where(LeaseTable.id == lease).values(changes)
    return (await connection.execute(update.returning(*_LEASE))).one()


async def _end(connection: AsyncConnection, leases: Sequence[int]) -> None:
    await connection.execute(
        sa.update(LeaseTable).where(LeaseTable.id.in_(leases)).values(holder=None)
    )
    await connection.execute(sa.delete(LeaseSlots).where(LeaseSlots.lease_id.in_(leases)))


async def _with_slots(
    connection: AsyncConnection, rows: Sequence[AnyRow], now: int
) -> list[HeldLease]:
    query = (
        sa.select(LeaseSlots.lease_id, ConcurrencyLimit.name, LeaseSlots.slots)
        .join(ConcurrencyLimit, ConcurrencyLimit.id == LeaseSlots.limit_id)
        .where(LeaseSlots.lease_id.in_([row.id for row in rows]))
        .order_by(ConcurrencyLimit.name)
    )
    slots: dict[int, dict[str, int]] = {row.id: {} for row in rows}
    for lease, limit, count in await connection.execute(query):
        slots[lease][limit] = count
    return [HeldLease(row, slots[row.id], now) for row in rows]
