"""Alembic's environment.

The server hands its connection over in `attributes["connection"]`. Run by the
`alembic` command, the database is the one of STARDAG_SERVER_DATABASE_URL.
"""

import asyncio
import os
import re

import sqlalchemy as sa
from alembic import context
from sqlalchemy.ext.asyncio import create_async_engine

from stardag_server.store.partitions import NAME_PATTERN
from stardag_server.store.schema import Base


def include_name(name: str | None, kind: str, _parents: object) -> bool:
    """Leave out the partitions, which the server makes as time goes by."""
    return not (kind == "table" and name and re.fullmatch(NAME_PATTERN, name))


def migrate(connection: sa.Connection) -> None:
    """Run the migrations that were asked for on this connection, in one transaction."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_name=include_name,
        # SQLite can't alter tables in place.
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


async def migrate_url(url: str) -> None:
    """Connect, migrate, and commit."""
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(migrate)
    finally:
        await engine.dispose()


if (given := context.config.attributes.get("connection")) is not None:
    migrate(given)
else:
    asyncio.run(migrate_url(os.environ["STARDAG_SERVER_DATABASE_URL"]))
