"""Which build a command is about."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from stardag._errors import ConfigError, StardagError

if TYPE_CHECKING:
    from stardag.client import Client


def resolve_build(client: Client, build: str) -> str:
    """Return the id that `build`, an id or `latest`, stands for.

    Raises `ConfigError` if it is neither, and `StardagError` if there is no build yet.
    """
    if build == "latest":
        newest = next(client.list_builds(), None)
        if newest is None:
            raise StardagError("there are no builds yet")
        return newest.build_id
    try:
        return str(UUID(build))
    except ValueError:
        raise ConfigError(
            f"{build!r} is not the id of a build; `stardag builds list` shows them, and `latest` "
            "stands for the newest"
        ) from None
