"""The fencing tokens that what is written about tasks is held against."""

from collections.abc import Collection
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from stardag_server.store.schema import Lease


async def newest_tokens(
    connection: AsyncConnection, workspace: int, tasks: Collection[UUID]
) -> dict[bytes, int]:
    """Return the newest token of each task's lease, by task; none is given out until the end.

    The end is that of the transaction. A task whose lease nobody had is left out.
    """
    query = (
        sa.select(Lease.name, Lease.fencing_token)
        .where(Lease.workspace_id == workspace, Lease.name.in_([str(task) for task in tasks]))
        .order_by(Lease.name)
        .with_for_update(read=True)
    )
    rows = await connection.execute(query)
    return {UUID(name).bytes: token for name, token in rows}
