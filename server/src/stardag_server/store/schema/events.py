"""Events as they came, and the order in which a workspace's were committed."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from stardag_server.store.schema.base import Base, zero
from stardag_server.store.schema.workspaces import Workspace


class Event(Base):
    """The log of every build, append-only.

    `detail` is what the columns do not hold: the event as received without the
    fields that have a column, unknown fields included; null if nothing is left.
    On PostgreSQL one partition a month of `commit_time`, which therefore is
    part of the key.
    """

    __tablename__ = "events"
    __table_args__ = (
        # Of the few that were rejected, to be listed.
        sa.Index(
            "ix_events_rejected",
            "commit_time",
            postgresql_where=sa.text("rejection IS NOT NULL"),
            sqlite_where=sa.text("rejection IS NOT NULL"),
        ),
        {"postgresql_partition_by": "RANGE (commit_time)", "sqlite_with_rowid": False},
    )

    build_id: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    commit_time: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int | None]
    stream_id: Mapped[int]
    sequence: Mapped[int]
    event_time: Mapped[int]
    monotonic: Mapped[int]
    attempt: Mapped[int]
    type: Mapped[int] = mapped_column(sa.Integer)
    rejection: Mapped[int | None] = mapped_column(sa.SmallInteger)
    rejection_message: Mapped[str | None]
    detail: Mapped[bytes | None]


class WorkspaceLog(Base):
    """How many commits wrote into the logs of a workspace's builds.

    Whoever commits holds this row's lock from the last statement on, so that the order of these
    numbers is the order of commits. `trimmed` is that of the newest commit of which events are
    no longer kept.
    """

    __tablename__ = "workspace_logs"
    __table_args__ = ({"postgresql_with": {"fillfactor": 50}},)

    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id), primary_key=True)
    head: Mapped[int]
    trimmed: Mapped[int] = zero()


class CommittedRange(Base):
    """The positions of a build's log that one of its workspace's commits wrote."""

    __tablename__ = "committed_ranges"
    __table_args__ = (sa.Index(None, "build_id"), {"sqlite_with_rowid": False})

    workspace_id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    build_id: Mapped[int] = mapped_column(primary_key=True)
    first_position: Mapped[int]
    last_position: Mapped[int]


class StrayEvent(Base):
    """A rejected event that names no known build, as received: kept to be looked at."""

    __tablename__ = "stray_events"
    __table_args__ = (sa.Index(None, "commit_time"),)

    stream_id: Mapped[int] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    commit_time: Mapped[int]
    rejection: Mapped[int] = mapped_column(sa.SmallInteger)
    rejection_message: Mapped[str]
    event: Mapped[bytes]
