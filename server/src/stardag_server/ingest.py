"""Group commit: what all streams have delivered goes into one transaction.

While a commit is under way the next group forms; when nothing is under way a
batch is committed at once. There is no timer. On PostgreSQL two commits may be
under way, so that one is folded while the other is stored.
"""

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from opentelemetry import trace

from stardag.v1 import event_pb2 as pb
from stardag_server.domain.batch import Batch, Committed
from stardag_server.domain.event_check import Rejection
from stardag_server.domain.refusals import Refusal, ServerOverloaded, StorageUnavailable
from stardag_server.metrics import Metrics
from stardag_server.store.database import DEADLOCK_SQLSTATES, may_be_poison, sqlstate
from stardag_server.store.store import Store

_log = logging.getLogger(__name__)
_tracer = trace.get_tracer("stardag_server")

_GROUP_EVENTS = 10_000
_QUEUE_EVENTS = 50_000
"""Most events of one workspace that wait to be committed."""
_ALL_QUEUES_EVENTS = 4 * _QUEUE_EVENTS
_MAX_CAUSE = 200

_POISON = Rejection(
    pb.EVENT_REJECTION_REASON_EVENT_INVALID, "the database refused to store this event"
)


class CommitFailed(Exception):
    """A commit failed by a fault that is no event's; the log says which."""


@dataclass(frozen=True, slots=True)
class _Delivery:
    batch: Batch
    outcome: asyncio.Future[Committed]
    arrived: float


class _Lane:
    """What waits for one of the commits that may be under way at once.

    Workspaces take turns, a commit each.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, deque[_Delivery]] = {}
        self._arrived = asyncio.Event()

    def put(self, delivery: _Delivery) -> None:
        self._waiting.setdefault(delivery.batch.workspace, deque()).append(delivery)
        self._arrived.set()

    def oldest(self) -> float | None:
        """Return when the first that waits arrived, by the event loop's clock."""
        return min((waiting[0].arrived for waiting in self._waiting.values()), default=None)

    async def take(self) -> list[_Delivery]:
        """Wait for something, and return what goes into one commit."""
        await self._arrived.wait()
        group: list[_Delivery] = []
        events = 0
        workspace = next(iter(self._waiting))
        waiting = self._waiting.pop(workspace)
        while waiting:
            events += len(waiting[0].batch.events)
            if group and events > _GROUP_EVENTS:
                # Behind all others whose turn it is.
                self._waiting[workspace] = waiting
                break
            group.append(waiting.popleft())
        if not self._waiting:
            self._arrived.clear()
        return group


class Ingest:
    """Takes batches in and commits them, those of one stream in the order in which they came.

    Several groups are committed at once, where the store gains by it: a stream
    belongs to one of these lanes, whatever connection it comes by. `announce` is
    called after each commit with the heads of the builds that were written to.
    """

    def __init__(
        self,
        store: Store,
        announce: Callable[[Mapping[int, int]], None],
        metrics: Metrics,
        patience: float = 30.0,
    ) -> None:
        self._store = store
        self._announce = announce
        self._metrics = metrics
        self._patience = patience
        self._lanes = [_Lane() for _ in range(store.writers)]
        self._queued: Counter[int] = Counter()
        metrics.queue(self._queued.total, self._lag)
        self._taken = asyncio.Condition()

    async def submit(self, batch: Batch) -> asyncio.Future[Committed]:
        """Queue the batch, as soon as there is room; return its outcome to come.

        The future holds a Committed once the batch is durable, or the Refusal
        of the batch: SequenceGap, StreamSuperseded, StorageUnavailable; or
        CommitFailed. Raises ServerOverloaded if there is no room for `patience`
        seconds.
        """
        workspace = batch.workspace
        try:
            async with asyncio.timeout(self._patience), self._taken:
                await self._taken.wait_for(lambda: self._has_room(workspace))
        except TimeoutError:
            raise ServerOverloaded from None
        loop = asyncio.get_running_loop()
        delivery = _Delivery(batch, loop.create_future(), loop.time())
        # An outcome that nobody waits for any more is no error.
        delivery.outcome.add_done_callback(_retrieve)
        self._queued[workspace] += len(batch.events)
        self._lanes[batch.stream.key % len(self._lanes)].put(delivery)
        return delivery.outcome

    def _has_room(self, workspace: int) -> bool:
        return self._queued[workspace] < _QUEUE_EVENTS and self._queued.total() < _ALL_QUEUES_EVENTS

    async def run(self) -> None:
        """Commit what arrives, until cancelled."""
        async with asyncio.TaskGroup() as lanes:
            for lane in self._lanes:
                lanes.create_task(self._run(lane))

    async def _run(self, lane: _Lane) -> None:
        while True:
            group = await lane.take()
            async with self._taken:
                self._queued[group[0].batch.workspace] -= sum(
                    len(delivery.batch.events) for delivery in group
                )
                self._taken.notify_all()
            await self._commit(group)

    def _lag(self) -> float:
        arrivals = [at for lane in self._lanes if (at := lane.oldest()) is not None]
        return asyncio.get_running_loop().time() - min(arrivals) if arrivals else 0.0

    async def _commit(self, group: Sequence[_Delivery]) -> None:
        outcomes: Sequence[Committed | Refusal | CommitFailed]
        began = time.perf_counter()
        span = _tracer.start_span("group commit")
        try:
            outcomes = await self._store_batches([delivery.batch for delivery in group], first=True)
        except StorageUnavailable as error:
            _log.warning("the database does not answer: %s", error.__cause__)
            outcomes = [StorageUnavailable() for _ in group]
        # Whatever a commit fails by, the next one must be tried, and the streams
        # of this one must be told: each by an error of its own, which it raises.
        except Exception as error:
            _log.error("a commit failed", exc_info=error)
            outcomes = [CommitFailed("the commit failed; the log says why") for _ in group]
        self._measure(group, outcomes, time.perf_counter() - began)
        span.end()
        for delivery, outcome in zip(group, outcomes, strict=True):
            if delivery.outcome.cancelled():
                continue
            if isinstance(outcome, Committed):
                delivery.outcome.set_result(outcome)
            else:
                delivery.outcome.set_exception(outcome)

    def _measure(
        self,
        group: Sequence[_Delivery],
        outcomes: Sequence[Committed | Refusal | CommitFailed],
        seconds: float,
    ) -> None:
        events, rejections = 0, list[pb.EventRejection]()
        for delivery, outcome in zip(group, outcomes, strict=True):
            if isinstance(outcome, Committed):
                events += len(delivery.batch.events)
                rejections += outcome.rejections
        if events:
            self._metrics.committed(seconds, events, rejections)
        elif any(isinstance(outcome, StorageUnavailable | CommitFailed) for outcome in outcomes):
            self._metrics.commit_failed()

    async def _store_batches(
        self, batches: Sequence[Batch], first: bool = False
    ) -> list[Committed | Refusal]:
        """Commit the batches; if something in them can't be stored, all but that.

        Only what the `first` attempt failed by is logged in full: those that look
        for what is to blame fail by the same.
        """
        while True:
            try:
                result = await self._store.commit(batches)
            # A fault of the code that folds poisons a group as much as one of
            # the statement that stores it: what is to blame is found by halving.
            except Exception as error:
                if sqlstate(error) in DEADLOCK_SQLSTATES:
                    continue
                if not may_be_poison(error):
                    raise
                if first:
                    _log.error("a commit failed; looking for what is to blame", exc_info=error)
                poisoned = error
                break
            self._announce(result.heads)
            return result.outcomes
        return await self._store_by_halves(batches, poisoned)

    async def _store_by_halves(
        self, batches: Sequence[Batch], error: Exception
    ) -> list[Committed | Refusal]:
        if len(batches) > 1:
            middle = len(batches) // 2
            first = await self._store_batches(batches[:middle])
            return first + await self._store_batches(batches[middle:])
        [batch] = batches
        if len(batch.events) > 1:
            return [await self._store_split(batch)]
        if batch.poison or not batch.events:
            raise error
        _log.error(
            "event %d of stream %s is poison: %s",
            batch.first_sequence,
            batch.stream.uuid,
            str(error).partition("\n")[0][:_MAX_CAUSE],
        )
        return await self._store_batches([replace(batch, poison=_POISON)])

    async def _store_split(self, batch: Batch) -> Committed | Refusal:
        middle = len(batch.events) // 2
        halves = (
            replace(batch, events=batch.events[:middle]),
            replace(
                batch,
                events=batch.events[middle:],
                first_sequence=batch.first_sequence + middle,
            ),
        )
        rejections: list[pb.EventRejection] = []
        sequence = 0
        for half in halves:
            [outcome] = await self._store_batches([half])
            if isinstance(outcome, Refusal):
                return outcome
            rejections += outcome.rejections
            sequence = outcome.sequence
        return Committed(sequence, rejections)


def _retrieve(outcome: asyncio.Future[Committed]) -> None:
    if not outcome.cancelled():
        outcome.exception()
