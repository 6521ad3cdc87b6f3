"""Leases and the limits of how many are held at once."""

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from stardag_server.store.schema.base import Base, Key, zero
from stardag_server.store.schema.workspaces import Workspace


class ConcurrencyLimit(Base):
    """A named bound on the slots that leases take up at once."""

    __tablename__ = "concurrency_limits"
    __table_args__ = (sa.UniqueConstraint("workspace_id", "name"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id))
    name: Mapped[str]
    max_slots: Mapped[int]
    description: Mapped[str]


class Lease(Base):
    """A lease, held until `expire_time`; the row stays when it is over, for its token.

    The tokens come from one sequence: that of the column on PostgreSQL. SQLite,
    with one writer at a time, has the greatest token of all rows instead.
    """

    __tablename__ = "leases"
    __table_args__ = (sa.UniqueConstraint("workspace_id", "name"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id))
    name: Mapped[str]
    fencing_token: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), unique=True)
    holder: Mapped[UUID | None]
    build_uuid: Mapped[UUID | None]
    acquire_time: Mapped[int] = zero()
    expire_time: Mapped[int] = zero()


class LeaseSlots(Base):
    """The slots of a limit that a lease takes up while it is held."""

    __tablename__ = "lease_slots"

    limit_id: Mapped[int] = mapped_column(
        sa.ForeignKey(ConcurrencyLimit.id, ondelete="CASCADE"), primary_key=True
    )
    lease_id: Mapped[int] = mapped_column(
        sa.ForeignKey(Lease.id, ondelete="CASCADE"), primary_key=True, index=True
    )
    slots: Mapped[int]
