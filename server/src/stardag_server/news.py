"""That there may be news in a workspace, for those who follow all of it."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Generator, Mapping

from stardag_server.domain.refusals import StorageUnavailable
from stardag_server.store.workspace_log import WorkspaceLogs

_log = logging.getLogger(__name__)

_POLL_INTERVAL = 1.0


class News:
    """Wakes those who follow workspaces.

    Commits of this process wake them at once; those of others are found by one query a second. A
    wake-up says only that there may be something to read: one too many, or one that is lost,
    costs time and nothing else.
    """

    def __init__(self, logs: WorkspaceLogs) -> None:
        self._logs = logs
        self._followed: Counter[int] = Counter()
        self._seen: Mapping[int, int] = {}
        self._moved = asyncio.Event()

    @contextlib.contextmanager
    def follow(self, workspace: int) -> Generator[None]:
        """Look for commits of other processes to this workspace during the block."""
        self._followed[workspace] += 1
        try:
            yield
        finally:
            self._followed[workspace] -= 1
            if not self._followed[workspace]:
                del self._followed[workspace]

    def next(self) -> asyncio.Event:
        """Return what is set when there may be more than there is now."""
        return self._moved

    def stir(self) -> None:
        """Wake everybody."""
        self._moved.set()
        self._moved = asyncio.Event()

    async def poll(self) -> None:
        """Look for commits of other processes, until cancelled."""
        while True:
            await asyncio.sleep(_POLL_INTERVAL)
            if not self._followed:
                continue
            try:
                heads = await self._logs.heads([*self._followed])
            except StorageUnavailable as error:
                _log.warning("can't look for news of workspaces: %s", error.__cause__)
                continue
            # Nobody would notice that this ended, and watchers would wait for ever.
            except Exception:
                _log.exception("can't look for news of workspaces")
                continue
            if heads != self._seen:
                self._seen = heads
                self.stir()
