"""What of the batches of a commit is new, by the watermarks of their streams."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stardag.v1 import event_pb2 as pb
from stardag_server.domain.batch import Batch, Committed
from stardag_server.domain.event_check import Rejection
from stardag_server.domain.refusals import Refusal, SequenceGap, StreamSuperseded


@dataclass(slots=True)
class StreamState:
    """A stream as its row says, which is locked."""

    key: int
    generation: int
    watermark: int
    """Last committed sequence number; moves as batches are admitted."""


@dataclass(slots=True)
class Part:
    """Consecutive new events of one stream on their way into the log."""

    stream: int
    first_sequence: int
    events: Sequence[pb.NewEvent]
    rejections: list[Rejection | None]
    """For each event, why it is not applied, as far as that is known by now."""
    outcome: Committed

    def report_rejections(self) -> None:
        """Tell in the outcome what was stored without being applied."""
        self.outcome.rejections.extend(self._reported())

    def _reported(self) -> Iterator[pb.EventRejection]:
        for sequence, rejection in enumerate(self.rejections, self.first_sequence):
            if rejection:
                yield pb.EventRejection(
                    sequence=sequence, reason=rejection.reason, message=rejection.message
                )


def admit(batch: Batch, stream: StreamState | None, parts: list[Part]) -> Committed | Refusal:
    """Add what is new of the batch to the parts, and advance its stream."""
    if stream is None or batch.stream.generation != stream.generation:
        return StreamSuperseded(batch.stream.uuid)
    try:
        old = batch.already_committed(stream.watermark)
    except SequenceGap as gap:
        return gap
    stream.watermark = batch.last_committed(stream.watermark)
    outcome = Committed(stream.watermark)
    if old < len(batch.events):
        first = batch.first_sequence + old
        events, rejections = batch.events[old:], batch.rejections[old:]
        parts.append(Part(stream.key, first, events, rejections, outcome))
    return outcome
