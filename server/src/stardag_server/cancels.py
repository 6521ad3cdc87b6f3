"""Requests to stop builds, and the producers who are to hear of them."""

import asyncio
import contextlib
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from stardag.v1.event_service_pb2 import CancelNotice
from stardag_server.repeating import repeatedly
from stardag_server.store.store import Store

_POLL_INTERVAL = 1.0


@dataclass(eq=False, slots=True)
class _Listener:
    stream: UUID
    tell: Callable[[CancelNotice], None]
    told: set[str] = field(default_factory=set[str])


class Cancels:
    """Asks builds to stop, and tells the open streams of this process that started them.

    What was asked for in this process is told at once; what was in others is found
    by one query a second for all streams that are open. `announce` is called with
    the heads of the builds that were asked.
    """

    def __init__(self, store: Store, announce: Callable[[Mapping[int, int]], None]) -> None:
        self._store = store
        self._announce = announce
        self._listeners: dict[int, set[_Listener]] = {}
        self._asked = asyncio.Event()

    async def request(self, workspace: int, build: UUID, reason: str) -> None:
        """Ask a build to stop, unless it has ended or was asked before. Raises BuildNotFound."""
        self._announce(await self._store.request_cancel(workspace, build, reason))
        self._asked.set()

    async def notices(self, workspace: int, stream: UUID) -> list[CancelNotice]:
        """Return what is to be told to a stream; at most 100 builds."""
        rows = await self._store.queries.cancels(workspace, [stream])
        return [CancelNotice(build_id=str(row.uuid), reason=row.cancel_reason) for row in rows]

    @contextlib.contextmanager
    def listening(
        self, workspace: int, stream: UUID, tell: Callable[[CancelNotice], None]
    ) -> Generator[None]:
        """During the block, have each request to a build of the stream told, once."""
        listener = _Listener(stream, tell)
        self._listeners.setdefault(workspace, set()).add(listener)
        # There may be some from before the stream was opened.
        self._asked.set()
        try:
            yield
        finally:
            listeners = self._listeners[workspace]
            listeners.remove(listener)
            if not listeners:
                del self._listeners[workspace]

    async def run(self) -> None:
        """Look for requests, until cancelled."""
        await repeatedly("look for builds to stop", self.look, _POLL_INTERVAL, wake=self._asked)

    async def look(self) -> None:
        """Tell what was asked for since. Raises StorageUnavailable."""
        for workspace in [*self._listeners]:
            await self._look(workspace)

    async def _look(self, workspace: int) -> None:
        streams = {listener.stream for listener in self._listeners.get(workspace, ())}
        rows = await self._store.queries.cancels(workspace, [*streams])
        for row in rows:
            notice = CancelNotice(build_id=str(row.uuid), reason=row.cancel_reason)
            for listener in self._listeners.get(workspace, ()):
                if listener.stream == row.stream_uuid and notice.build_id not in listener.told:
                    listener.told.add(notice.build_id)
                    listener.tell(notice)
