"""How far each watched build's log has come, and who waits for more."""

import asyncio
import contextlib
import logging
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field

from stardag_server.domain.refusals import StorageUnavailable
from stardag_server.store.queries import Queries

_log = logging.getLogger(__name__)

_POLL_INTERVAL = 1.0


@dataclass(slots=True)
class _Followed:
    head: int
    watchers: int = 0
    moved: asyncio.Event = field(default_factory=asyncio.Event)


class Heads:
    """The head of each build that somebody follows.

    Commits of this process are announced; those of others are found by one
    query a second for all builds that are followed.
    """

    def __init__(self, queries: Queries) -> None:
        self._queries = queries
        self._followed: dict[int, _Followed] = {}
        self._closed = False

    @contextlib.contextmanager
    def follow(self, build: int, head: int) -> Generator[None]:
        """Follow the build with this key, whose head was seen at `head`, during the block."""
        followed = self._followed.setdefault(build, _Followed(head))
        followed.watchers += 1
        try:
            yield
        finally:
            followed.watchers -= 1
            if not followed.watchers:
                del self._followed[build]

    async def move_beyond(self, build: int, position: int, timeout: float) -> bool:
        """Wait until the head of a followed build may be beyond the position.

        Return False after `timeout` seconds. After `close` nobody waits.
        """
        followed = self._followed[build]
        if self._closed or followed.head > position:
            return True
        try:
            async with asyncio.timeout(timeout):
                await followed.moved.wait()
        except TimeoutError:
            return False
        return True

    def announce(self, heads: Mapping[int, int]) -> None:
        """Take note of heads of builds, by key, followed or not."""
        for build, head in heads.items():
            followed = self._followed.get(build)
            if followed and head > followed.head:
                followed.head = head
                self._rouse(followed)

    def close(self) -> None:
        """End all waits, those to come too."""
        self._closed = True
        for followed in self._followed.values():
            self._rouse(followed)

    async def poll(self) -> None:
        """Look for commits of other processes, until cancelled."""
        while True:
            await asyncio.sleep(_POLL_INTERVAL)
            if not self._followed:
                continue
            try:
                self.announce(await self._queries.heads([*self._followed]))
            except StorageUnavailable as error:
                _log.warning("can't look for news of watched builds: %s", error.__cause__)
            # Nobody would notice that this ended, and watchers would wait for ever.
            except Exception:
                _log.exception("can't look for news of watched builds")

    def _rouse(self, followed: _Followed) -> None:
        followed.moved.set()
        followed.moved = asyncio.Event()
