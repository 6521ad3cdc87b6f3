"""That something was committed: those who wait for it hear of it, here and elsewhere."""

import asyncio
from collections.abc import Mapping

from stardag_server.heads import Heads
from stardag_server.store.store import Store


class News:
    """The heads of builds and of workspaces, moved by whatever process commits.

    What this one commits is announced here, and told to the others; on SQLite those find it by
    polling.
    """

    def __init__(self, store: Store) -> None:
        self.builds = Heads(store.queries.heads)
        self.workspaces = Heads(store.logs.heads)
        self._notices = store.notices

    def announce(self, heads: Mapping[int, int]) -> None:
        """Tell of a commit, which moved the heads of these builds, by key."""
        self.builds.announce(heads)
        self.workspaces.wake()
        self._notices.tell()

    async def run(self) -> None:
        """Look and listen for what others commit, until cancelled."""
        await asyncio.gather(
            self.builds.run(), self.workspaces.run(), self._notices.run(self._heard)
        )

    def _heard(self) -> None:
        self.builds.wake()
        self.workspaces.wake()
