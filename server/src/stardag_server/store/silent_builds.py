"""The builds that run and of which nothing is heard."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from stardag.v1.build_pb2 import BUILD_STATUS_RUNNING
from stardag_server.domain.silence import SILENCE_US
from stardag_server.store.database import clock
from stardag_server.store.schema import Build, Stream

_AT_ONCE = 100


def silent_builds(connection: AsyncConnection, workspace: int) -> sa.Select[*tuple[Any, ...]]:
    """Select the clock, and some of these builds: id, key of the owner, when that was last heard.

    A build is one of them when neither an event of any stream nor a sign of life
    of its owner came for SILENCE_US. One that nobody started has no owner, and
    is none of them.
    """
    now = clock(connection)
    return (
        sa.select(now, Build.uuid, Stream.id, Stream.last_seen)
        .join(Stream, Stream.id == Build.start_stream_id)
        .where(
            Build.workspace_id == workspace,
            Build.status == BUILD_STATUS_RUNNING,
            Build.update_time < now - SILENCE_US,
            Stream.last_seen < now - SILENCE_US,
        )
        .order_by(Build.id)
        .limit(_AT_ONCE)
    )
