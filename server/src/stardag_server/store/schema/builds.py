"""Streams, builds, tasks and the state of each task in each build."""

import json
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from stardag.v1.build_pb2 import BUILD_STATUS_RUNNING
from stardag_server.domain.task_state import STATUS_COUNT
from stardag_server.store.schema.base import Base, Json, Key, zero
from stardag_server.store.schema.workspaces import Workspace


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
    head: Mapped[int] = zero()
    trimmed: Mapped[int] = zero()
    status: Mapped[int] = mapped_column(sa.SmallInteger, server_default=str(BUILD_STATUS_RUNNING))
    start_time: Mapped[int] = zero()
    start_monotonic: Mapped[int] = zero()
    start_stream_id: Mapped[int] = zero()
    end_time: Mapped[int] = zero()
    end_commit_time: Mapped[int] = zero()
    duration: Mapped[int] = zero()
    reason: Mapped[str] = mapped_column(server_default="")
    cancel_time: Mapped[int] = zero()
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
    lost_events: Mapped[int] = zero()
    rejected_events: Mapped[int] = zero()


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
