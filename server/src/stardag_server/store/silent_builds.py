"""The builds that run and of which nothing is heard."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from stardag.v1.build_pb2 import BUILD_STATUS_RUNNING
from stardag_server.domain.silence import SILENCE_US
from stardag_server.domain.task_state import TERMINAL
from stardag_server.store.answering_stream import answering_stream
from stardag_server.store.database import clock
from stardag_server.store.schema import Build, BuildTask, Stream

_AT_ONCE = 100


def silent_builds(connection: AsyncConnection, workspace: int) -> sa.Select[*tuple[Any, ...]]:
    """Select the clock, and some of these builds: id, key of the stream, when that was last heard.

    A build is one of them when neither an event of any stream nor a sign of life
    of the one that answers for it came for SILENCE_US.
    """
    return (
        sa.select(clock(connection), Build.uuid, Stream.id, Stream.last_seen)
        .join(Stream, Stream.id == answering_stream())
        .where(Build.workspace_id == workspace, _is_silent(connection))
        .order_by(Build.id)
        .limit(_AT_ONCE)
    )


def silent_workspaces(connection: AsyncConnection) -> sa.Select[int]:
    """Select the keys of the workspaces that have such a build."""
    return (
        sa.select(Build.workspace_id)
        .join(Stream, Stream.id == answering_stream())
        .where(_is_silent(connection))
        .distinct()
    )


def streams_at_work(workspace: int, builds: Sequence[UUID]) -> sa.Select[UUID, int]:
    """Select each of these builds with the key of each stream that left a task there unfinished."""
    return (
        sa.select(Build.uuid, BuildTask.stream_id)
        .join(BuildTask, BuildTask.build_id == Build.id)
        .where(
            Build.workspace_id == workspace,
            Build.uuid.in_(builds),
            BuildTask.status.not_in(TERMINAL),
        )
        .distinct()
    )


def _is_silent(connection: AsyncConnection) -> sa.ColumnElement[bool]:
    heard_before = clock(connection) - SILENCE_US
    return sa.and_(
        Build.status == BUILD_STATUS_RUNNING,
        Build.update_time < heard_before,
        Stream.last_seen < heard_before,
    )
