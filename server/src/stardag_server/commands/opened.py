"""The database that a command works on, beside servers that may run."""

import contextlib
import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Annotated, Any

import cyclopts

from stardag_server import log
from stardag_server.settings import Settings, load
from stardag_server.store.migration import migrate
from stardag_server.store.store import Store

WorkspaceName = Annotated[str, cyclopts.Parameter(help="Name of the workspace.")]


def command_settings(data_dir: Path | None, database_url: str | None, **more: Any) -> Settings:
    """Return the settings of a command with these options, and log as they say.

    Raises SettingInvalid.
    """
    options = {"data_dir": data_dir, "database_url": database_url, **more}
    loaded = load(options, os.environ)
    log.set_up(loaded.log_level)
    return loaded


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
