"""Whether this server can serve, as load balancers and health checks ask."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from stardag_server.domain.refusals import StorageUnavailable
from stardag_server.repeating import repeatedly

_log = logging.getLogger(__name__)

_INTERVAL = 2.0
_PATIENCE = 2.0
"""Seconds in which the database is to answer."""

STARTING, DRAINING, AWAY = "starting", "draining", "the database does not answer"


class Readiness:
    """Ready while the database answers and the server does not stop.

    `ask` asks the database something; `told` is awaited with each change.
    """

    def __init__(
        self, ask: Callable[[], Awaitable[object]], told: Callable[[bool], Awaitable[None]]
    ) -> None:
        self._ask = ask
        self._told = told
        self.reason = STARTING
        """Why it is not ready; empty if it is."""

    async def run(self) -> None:
        """Look at the database every two seconds, until cancelled."""
        await repeatedly("look whether the database answers", self.look, _INTERVAL)

    async def look(self) -> None:
        """Look at the database once."""
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._ask()
        except (StorageUnavailable, TimeoutError):
            await self._become(AWAY)
        # Whatever it is: a server that can't read its database can't serve.
        except Exception:
            _log.exception("can't look whether the database answers")
            await self._become(AWAY)
        else:
            await self._become("")

    async def drain(self) -> None:
        """Be ready no more, for good."""
        await self._become(DRAINING)

    async def _become(self, reason: str) -> None:
        if self.reason in (reason, DRAINING):
            return
        self.reason = reason
        if reason == AWAY:
            _log.warning("not ready: %s", reason)
        else:
            _log.info("%s", reason or "ready")
        await self._told(not reason)
