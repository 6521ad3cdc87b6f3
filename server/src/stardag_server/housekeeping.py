"""What is to be thrown away is, from time to time."""

import asyncio
import logging

from stardag_server.domain.refusals import StorageUnavailable
from stardag_server.domain.retention import Deleted, RetentionPolicy
from stardag_server.store.store import Store

_log = logging.getLogger(__name__)

_INTERVAL = 3600.0
_FIRST = 60.0


class Housekeeping:
    """Deletes what the retention of one workspace says, every hour.

    Several replicas may do so at once: each build is deleted by one of them.
    """

    def __init__(self, store: Store, workspace: int, policy: RetentionPolicy) -> None:
        self._store = store
        self._workspace = workspace
        self._policy = policy

    async def run(self) -> None:
        """Delete what is due, again and again, until cancelled."""
        pause = _FIRST
        while True:
            await asyncio.sleep(pause)
            pause = _INTERVAL
            try:
                await self.delete()
            except StorageUnavailable as error:
                _log.warning("can't delete what is too old: %s", error.__cause__)
            # Nobody would notice that this ended, and the database would grow for ever.
            except Exception:
                _log.exception("can't delete what is too old")

    async def delete(self) -> Deleted:
        """Delete what is due now; return how much that was. Raises StorageUnavailable."""
        deleted = Deleted()
        async for so_far in self._store.retention.run(self._workspace, self._policy):
            deleted = so_far
        if deleted.builds:
            _log.info(
                "deleted %d builds with %d events and %d tasks",
                deleted.builds,
                deleted.events,
                deleted.tasks,
            )
        return deleted
