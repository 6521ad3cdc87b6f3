"""The store that a command works on, beside servers that may run."""

import contextlib
from collections.abc import AsyncGenerator
from typing import Annotated

import cyclopts

from stardag_server.settings import Settings
from stardag_server.store.migration import migrate
from stardag_server.store.store import Store

WorkspaceName = Annotated[str, cyclopts.Parameter(help="Name of the workspace.")]


@contextlib.asynccontextmanager
async def opened_store(settings: Settings) -> AsyncGenerator[Store]:
    """Bring the database to the newest schema, and open it during the block.

    The default workspace is there, as it is once a server has run.
    """
    await migrate(settings.database_url)
    store = Store(settings.database_url)
    try:
        await store.workspace()
        yield store
    finally:
        await store.close()
