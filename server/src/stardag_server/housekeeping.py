"""What is to be thrown away is, from time to time."""

import logging

from stardag_server.domain.refusals import StorageUnavailable
from stardag_server.domain.retention import Deleted, RetentionPolicy
from stardag_server.repeating import repeatedly
from stardag_server.store.store import Store

_log = logging.getLogger(__name__)

_INTERVAL = 3600.0
_FIRST = 60.0


class Housekeeping:
    """Deletes what the retention of each workspace says, every hour.

    `policy` is that of workspaces that set none; `workspace` is the key of one, for that alone.
    Several replicas may do so at once: each build is deleted by one of them.
    """

    def __init__(self, store: Store, policy: RetentionPolicy, workspace: int | None = None) -> None:
        self._store = store
        self._policy = policy
        self._workspace = workspace

    async def run(self) -> None:
        """Delete what is due, again and again, until cancelled."""
        await repeatedly("delete what is too old", self.delete, _INTERVAL, first=_FIRST)

    async def _policies(self) -> list[tuple[int, RetentionPolicy]]:
        return await self._store.workspaces.policies(self._policy, self._workspace)

    async def due(self) -> Deleted:
        """Return how much would be deleted now. Raises StorageUnavailable."""
        total = Deleted()
        for workspace, policy in await self._policies():
            total += await self._store.retention.due(workspace, policy)
        return total

    async def delete(self) -> Deleted:
        """Delete what is due now; return how much that was. Raises StorageUnavailable.

        What one workspace fails by does not keep the others from their turn: it
        is raised after them, as an ExceptionGroup.
        """
        total = Deleted()
        faults: list[Exception] = []
        for workspace, policy in await self._policies():
            deleted = Deleted()
            try:
                async for so_far in self._store.retention.run(workspace, policy):
                    deleted = so_far
            except StorageUnavailable:
                raise
            except Exception as error:
                faults.append(error)
            total += deleted
        if total != Deleted():
            _log.info(
                "deleted %d builds, %d events, %d tasks and %d revisions of assets",
                *(total.builds, total.events, total.tasks, total.asset_revisions),
            )
        if faults:
            raise ExceptionGroup("deleting what is too old failed", faults)
        return total
