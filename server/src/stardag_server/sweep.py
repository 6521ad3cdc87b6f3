"""The sweep: builds of whose producers nothing is heard any more are given up."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from stardag_server.domain.refusals import StorageUnavailable
from stardag_server.domain.silence import SILENCE_US
from stardag_server.repeating import repeatedly
from stardag_server.store.store import Store

_log = logging.getLogger(__name__)

_INTERVAL = 15.0


class Sweep:
    """Gives up silent builds of all workspaces, from time to time.

    Nobody is heard while this server or the database is away: after that,
    producers get as long to come back as they may be silent. `announce` is
    called with the heads of the builds that were given up.
    """

    def __init__(self, store: Store, announce: Callable[[Mapping[int, int]], None]) -> None:
        self._store = store
        self._announce = announce
        self._away_until = asyncio.get_running_loop().time()

    async def run(self) -> None:
        """Look for silent builds, until cancelled."""
        time = asyncio.get_running_loop().time
        await repeatedly("look for silent builds", lambda: self.look(time()), _INTERVAL)

    async def look(self, now: float) -> None:
        """Give up what is silent, unless all may be because it could not be heard.

        `now` is the time of the event loop. Raises StorageUnavailable.
        """
        try:
            await self._look(now)
        except StorageUnavailable:
            self._away_until = now
            raise

    async def _look(self, now: float) -> None:
        silent = await self._store.silent_workspaces()
        if (now - self._away_until) * 1_000_000 <= SILENCE_US:
            return
        for workspace in silent:
            heads = await self._store.give_up_silent_builds(workspace)
            _log.info("gave up %d builds of whose producers nothing is heard", len(heads))
            self._announce(heads)
