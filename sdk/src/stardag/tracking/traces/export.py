"""One stream on its way to the trace collector, as spans."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from stardag.telemetry.sampling import is_sampled
from stardag.tracking.connection.backoff import Backoff
from stardag.tracking.spool import frames
from stardag.tracking.spool.reader import SpoolReader, segment_starts
from stardag.tracking.traces.spans import Span, SpanFold, link_inputs
from stardag.v1 import event_pb2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stardag.tracking.sender.shipment import Shipment
    from stardag.tracking.traces.producers import Producers

_POLL_S, _CAP_S = 0.2, 30.0
_BATCH_SPANS = 512


class Exporter(Protocol):
    """Where spans go."""

    def export(self, spans: Sequence[Span]) -> bool:
        """Return whether `spans` were taken; may block for seconds."""
        ...


async def export_traces(
    shipment: Shipment, exporter: Exporter, turn: asyncio.Lock, producers: Producers | None
) -> None:
    """Export a stream's spans to its end, however often that fails; one export has its `turn`.

    What `producers` can't tell, or nobody tells, has no link.

    What was exported is noted after it was taken. So no span is lost, and after a crash in
    between, some are exported twice, with the same ids. What was left off is gone on with
    by reading the stream from its beginning, as a span may have started anywhere.
    """
    starts = segment_starts(shipment.directory)
    reader = SpoolReader(shipment.directory, starts[0] - 1 if starts else 0)
    fold = SpanFold(lambda trace_id, parent: is_sampled(trace_id, os.environ, parent))
    try:
        while not reader.ended:
            batch = reader.read()
            spans = [
                span
                for frame in batch
                for span in fold.add(event_pb2.NewEvent.FromString(frames.event(frame.body)))
                if frame.sequence > shipment.record.exported
            ]
            exported = reader.sequence
            if reader.ended and shipment.record.exported <= exported:
                spans += fold.end()
                exported += 1  # the end mark is passed too
            if producers is not None and (reused := {t for s in spans for t in s.reused_inputs}):
                found = await producers.find(reused)
                for span in spans:
                    link_inputs(span, found)
            await _export(spans, exporter, turn)
            if exported > shipment.record.exported:
                shipment.update(replace(shipment.record, exported=exported))
            # of what the server has and a disk lost, there are no spans
            if not batch and not (shipment.delivered and reader.skip_gap()):
                await asyncio.sleep(_POLL_S)
    finally:
        reader.close()


async def _export(spans: list[Span], exporter: Exporter, turn: asyncio.Lock) -> None:
    """Export spans, half as many at once each time that fails: it may have been too much."""
    count, backoff = _BATCH_SPANS, Backoff(_CAP_S)
    while spans:
        async with turn:
            taken = await asyncio.to_thread(exporter.export, spans[:count])
        if taken:
            spans = spans[count:]
            count, backoff = min(2 * count, _BATCH_SPANS), Backoff(_CAP_S)
        else:
            count = max(1, min(count, len(spans)) // 2)
            await asyncio.sleep(backoff.failed())
