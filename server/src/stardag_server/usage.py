"""What each workspace uses of this process, held within its limits.

Each process counts for itself: N replicas of the server allow N times the rates,
and N times the open streams and watches.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Generator

from stardag.v1.workspace_pb2 import WorkspaceLimits
from stardag_server.domain.refusals import RateLimited, TooManyStreams
from stardag_server.domain.token_bucket import TokenBucket
from stardag_server.domain.workspace import DEFAULT_LIMITS
from stardag_server.repeating import repeatedly
from stardag_server.store.store import Store

_INTERVAL = 10.0


class Usage:
    """The rates and the open streams of all workspaces, and the limits of these.

    The limits are those of the last `refresh`; those of a workspace that is newer
    are the server's.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._limits: dict[int, WorkspaceLimits] = {}
        self._events: dict[int, TokenBucket] = {}
        self._calls: dict[int, TokenBucket] = {}
        self._streams: Counter[int] = Counter()
        self._watches: Counter[int] = Counter()

    async def run(self) -> None:
        """Read the limits again and again, until cancelled."""
        await repeatedly("read the limits of workspaces", self.refresh, _INTERVAL)

    async def refresh(self) -> None:
        """Read the limits. Raises StorageUnavailable."""
        self._limits = await self._store.workspaces.limits()

    def limits(self, workspace: int) -> WorkspaceLimits:
        """Return the limits that hold for a workspace."""
        return self._limits.get(workspace, DEFAULT_LIMITS)

    def count_call(self, workspace: int) -> None:
        """Count a call. Raises RateLimited for one too many."""
        rate = self.limits(workspace).max_calls_per_second
        if wait := _take(self._calls, workspace, rate, 1):
            raise RateLimited("calls", rate, wait)

    def count_events(self, workspace: int, count: int) -> None:
        """Count events that are to be taken in. Raises RateLimited if these are too many."""
        if wait := self.wait_for_events(workspace, count):
            raise RateLimited("events", self.limits(workspace).max_events_per_second, wait)

    def wait_for_events(self, workspace: int, count: int) -> float:
        """Count events that are to be taken in; or return the seconds to wait before."""
        return _take(self._events, workspace, self.limits(workspace).max_events_per_second, count)

    @contextlib.contextmanager
    def stream(self, workspace: int) -> Generator[None]:
        """Count a stream that is open during the block. Raises TooManyStreams."""
        with _opened(self._streams, workspace, self.limits(workspace).max_streams):
            yield

    @contextlib.contextmanager
    def watch(self, workspace: int) -> Generator[None]:
        """Count a watch that is open during the block. Raises TooManyStreams."""
        with _opened(self._watches, workspace, self.limits(workspace).max_watches):
            yield


def _take(buckets: dict[int, TokenBucket], workspace: int, rate: int, count: int) -> float:
    now = time.monotonic()
    bucket = buckets.get(workspace)
    if bucket is None or bucket.rate != rate:
        bucket = buckets[workspace] = TokenBucket(rate, now)
    return bucket.take(count, now)


@contextlib.contextmanager
def _opened(counter: Counter[int], workspace: int, most: int) -> Generator[None]:
    if counter[workspace] >= most:
        raise TooManyStreams(most)
    counter[workspace] += 1
    try:
        yield
    finally:
        counter[workspace] -= 1
