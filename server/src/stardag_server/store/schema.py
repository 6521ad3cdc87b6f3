"""The tables.

Inside, rows refer to each other by integer keys; UUIDs are translated at the
edge. Times are integers: microseconds since the Unix epoch, exact and equal in
both databases. Rows that ingest writes by the thousand (events, states,
dependencies) have no foreign keys: their keys are resolved in the transaction
that writes them, and a check for each would cost a lookup a row.

Text columns never hold a NUL character, which PostgreSQL refuses: `plain`
replaces it. What must be kept to the byte is kept as bytes.
"""

import json
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.sqlite import INTEGER
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from stardag.v1.build_pb2 import BUILD_STATUS_RUNNING
from stardag_server.domain.task_state import STATUS_COUNT

# SQLite numbers rows by itself only where the type is spelled INTEGER.
Key = sa.BigInteger().with_variant(INTEGER(), "sqlite")
Json = sa.JSON().with_variant(JSONB(), "postgresql")


def plain(text: str) -> str:
    """Return the text with each NUL character shown as U+2400, the symbol for it."""
    return text.replace("\x00", "\u2400") if "\x00" in text else text


def _zero() -> Mapped[int]:
    return mapped_column(server_default="0")


class Base(DeclarativeBase):
    """All tables, with names of constraints that Alembic can find again."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {int: sa.BigInteger, str: sa.Text, UUID: sa.Uuid}  # noqa: RUF012


class Workspace(Base):
    """The unit of isolation: no row of one is seen from another.

    `limits` and `retention` hold what differs from the server's defaults, by
    field; durations are in microseconds. `revision` counts the changes.
    """

    __tablename__ = "workspaces"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    display_name: Mapped[str] = mapped_column(server_default="")
    description: Mapped[str] = mapped_column(server_default="")
    target_roots: Mapped[dict[str, str]] = mapped_column(Json, server_default="{}")
    limits: Mapped[dict[str, int]] = mapped_column(Json, server_default="{}")
    retention: Mapped[dict[str, int]] = mapped_column(Json, server_default="{}")
    create_time: Mapped[int] = _zero()
    revision: Mapped[int] = _zero()


class ApiKey(Base):
    """A credential for programs; `hash` is all that is kept of its secret. Times: 0 for never."""

    __tablename__ = "api_keys"
    __table_args__ = (sa.Index(None, "workspace_id", "id"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id))
    key_id: Mapped[str] = mapped_column(unique=True)
    hash: Mapped[bytes]
    display_name: Mapped[str]
    scopes: Mapped[list[int]] = mapped_column(Json)
    created_by: Mapped[str]
    create_time: Mapped[int]
    expire_time: Mapped[int] = _zero()
    last_used_time: Mapped[int] = _zero()
    revoke_time: Mapped[int] = _zero()


class Stream(Base):
    """A producer's stream and how far it is committed.

    `generation` counts how often it was opened: what comes from a connection
    with an older one is refused.
    """

    __tablename__ = "streams"
    __table_args__ = (sa.UniqueConstraint("workspace_id", "uuid"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id))
    uuid: Mapped[UUID]
    generation: Mapped[int]
    watermark: Mapped[int]
    client: Mapped[str]
    host: Mapped[str]
    pid: Mapped[int]
    create_time: Mapped[int]
    last_seen: Mapped[int]


class Build(Base):
    """A build. `head` is the position of the last event in its log.

    Events up to `trimmed` are deleted, those after it are kept. Whoever writes
    the log holds this row's lock, so positions are dense and their order is the
    order of commits.
    """

    __tablename__ = "builds"
    __table_args__ = (
        sa.UniqueConstraint("workspace_id", "uuid"),
        sa.Index(None, "workspace_id", "id"),
        sa.Index(None, "workspace_id", "status", "id"),
        # Of the few builds that were asked to stop: looked at every second.
        sa.Index(
            "ix_builds_asked_to_stop",
            "workspace_id",
            "start_stream_id",
            postgresql_where=sa.text("cancel_time > 0"),
            sqlite_where=sa.text("cancel_time > 0"),
        ),
        {"postgresql_with": {"fillfactor": 50}},
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id))
    uuid: Mapped[UUID]
    create_time: Mapped[int]
    update_time: Mapped[int]
    head: Mapped[int] = _zero()
    trimmed: Mapped[int] = _zero()
    status: Mapped[int] = mapped_column(sa.SmallInteger, server_default=str(BUILD_STATUS_RUNNING))
    start_time: Mapped[int] = _zero()
    start_monotonic: Mapped[int] = _zero()
    start_stream_id: Mapped[int] = _zero()
    end_time: Mapped[int] = _zero()
    end_commit_time: Mapped[int] = _zero()
    duration: Mapped[int] = _zero()
    reason: Mapped[str] = mapped_column(server_default="")
    cancel_time: Mapped[int] = _zero()
    cancel_reason: Mapped[str] = mapped_column(server_default="")
    name: Mapped[str] = mapped_column(server_default="")
    description: Mapped[str] = mapped_column(server_default="")
    client: Mapped[str] = mapped_column(server_default="")
    host: Mapped[str] = mapped_column(server_default="")
    runtime: Mapped[str] = mapped_column(server_default="")
    command: Mapped[str] = mapped_column(server_default="")
    labels: Mapped[dict[str, str]] = mapped_column(Json, server_default="{}")
    source: Mapped[dict[str, Any]] = mapped_column(Json, server_default="{}")
    root_task_ids: Mapped[list[str]] = mapped_column(Json, server_default="[]")
    task_counts: Mapped[list[int]] = mapped_column(
        Json, server_default=json.dumps([0] * STATUS_COUNT)
    )
    lost_events: Mapped[int] = _zero()
    rejected_events: Mapped[int] = _zero()


class Task(Base):
    """A task over all builds. While only named and not defined, `identity_json` is null.

    `identity_json` and `params_json` are the exact texts; `params` is what of the
    parameters can be searched.
    """

    __tablename__ = "tasks"
    __table_args__ = (
        sa.UniqueConstraint("workspace_id", "uuid"),
        sa.Index(None, "workspace_id", "id"),
        sa.Index(None, "workspace_id", "name", "namespace", "id"),
        sa.Index(
            None,
            "params",
            postgresql_using="gin",
            postgresql_ops={"params": "jsonb_path_ops"},
            # SQLite has nothing of the kind: there it stays empty.
            sqlite_where=sa.text("0"),
        ),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id))
    uuid: Mapped[UUID]
    create_time: Mapped[int]
    namespace: Mapped[str | None]
    name: Mapped[str | None]
    version: Mapped[str | None]
    identity_json: Mapped[str | None]
    params_json: Mapped[str | None]
    params: Mapped[dict[str, Any]] = mapped_column(Json, server_default="{}")
    output_uri: Mapped[str | None]


class TaskDependency(Base):
    """A direct dependency; dynamic ones were yielded while the task ran."""

    __tablename__ = "task_dependencies"
    __table_args__ = (
        sa.Index(None, "upstream_id", "task_id"),
        {"sqlite_with_rowid": False},
    )

    task_id: Mapped[int] = mapped_column(primary_key=True)
    upstream_id: Mapped[int] = mapped_column(primary_key=True)
    dynamic: Mapped[bool]


class BuildTask(Base):
    """A task's state in one build.

    `ordinal` numbers the tasks of the build from 1 in the order in which they
    entered it. No index has a column that changes, so that PostgreSQL updates
    rows in place.
    """

    __tablename__ = "build_tasks"
    __table_args__ = (
        sa.UniqueConstraint("task_id", "build_id"),
        {"postgresql_with": {"fillfactor": 60}, "sqlite_with_rowid": False},
    )

    build_id: Mapped[int] = mapped_column(primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int]
    status: Mapped[int] = mapped_column(sa.SmallInteger)
    attempt: Mapped[int]
    stream_id: Mapped[int]
    start_time: Mapped[int]
    start_monotonic: Mapped[int]
    end_time: Mapped[int]
    duration: Mapped[int]
    progress: Mapped[float | None] = mapped_column(sa.Double)
    output_uri: Mapped[str | None]
    failure: Mapped[bytes | None]
    position: Mapped[int]
    update_time: Mapped[int]


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
    trimmed: Mapped[int] = _zero()


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
    acquire_time: Mapped[int] = _zero()
    expire_time: Mapped[int] = _zero()


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


class Asset(Base):
    """A revision of a task's asset; its content is in `asset_chunks`."""

    __tablename__ = "assets"
    __table_args__ = (
        sa.UniqueConstraint("workspace_id", "task_uuid", "name", "revision"),
        sa.Index(None, "workspace_id", "id"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id))
    task_uuid: Mapped[UUID]
    name: Mapped[str]
    revision: Mapped[int]
    latest: Mapped[bool]
    kind: Mapped[int] = mapped_column(sa.SmallInteger)
    media_type: Mapped[str]
    description: Mapped[str]
    size: Mapped[int]
    sha256: Mapped[bytes]
    build_uuid: Mapped[UUID | None]
    create_time: Mapped[int]


class AssetChunk(Base):
    """The next bytes of an asset's content: all of one size, but for the last."""

    __tablename__ = "asset_chunks"

    asset_id: Mapped[int] = mapped_column(
        sa.ForeignKey(Asset.id, ondelete="CASCADE"), primary_key=True
    )
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[bytes]
