"""What a stream delivers at once, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from google.protobuf.unknown_fields import UnknownFieldSet

from stardag.v1 import event_pb2 as pb
from stardag_server.domain.event_check import DEFINING_TYPES, Rejection, check
from stardag_server.domain.refusals import SequenceGap


@dataclass(frozen=True, slots=True)
class OpenStream:
    """A stream as it was when it was opened."""

    uuid: UUID
    key: int
    generation: int
    """How often it has been opened; only the latest may deliver."""
    committed_sequence: int


@dataclass(slots=True)
class Batch:
    """Consecutive events of one stream; event i has `first_sequence` + i.

    Without events it only says that the producer lives.
    """

    workspace: int
    stream: OpenStream
    first_sequence: int
    events: Sequence[pb.NewEvent]
    poison: Rejection | None = None
    """Why these events are stored without being looked at, if they are."""
    rejections: list[Rejection | None] = field(init=False)
    """For each event, what is wrong with it whatever the state; None for nothing."""

    def __post_init__(self) -> None:
        # Here and not in the commit, so that it is done while another commit waits.
        self.events = [*self.events]
        self.rejections = [self.poison or check(event) for event in self.events]

    def already_committed(self, watermark: int) -> int:
        """Return how many of the events, from the first on, are committed already.

        Everything up to and with the sequence number `watermark` is. Raises
        SequenceGap if numbers between it and the batch are missing.
        """
        if self.events and self.first_sequence > watermark + 1:
            raise SequenceGap(watermark + 1, self.first_sequence)
        return min(len(self.events), max(0, watermark + 1 - self.first_sequence))

    def last_committed(self, watermark: int) -> int:
        """Return the stream's watermark once the batch is committed.

        Without events that is the watermark before, whatever `first_sequence` says.
        """
        if not self.events:
            return watermark
        return max(watermark, self.first_sequence + len(self.events) - 1)


@dataclass(frozen=True, slots=True)
class Committed:
    """The batch is durable, and visible to reads."""

    sequence: int
    """Last committed sequence number of the stream."""
    rejections: list[pb.EventRejection] = field(default_factory=list[pb.EventRejection])
    """What of the batch was stored without being applied."""


_COLUMN_FIELDS = ("build_id", "type", "attempt", "event_time_us", "monotonic_us")


def leftover(event: pb.NewEvent, task_known: bool, taken: bool) -> bytes | None:
    """Return what of an event is not kept elsewhere, serialized; None if nothing.

    That is its detail, its fencing token, the fields this code does not know, and
    the task's id unless `task_known`. A definition that was `taken` is kept with
    the task.
    """
    detail = event.WhichOneof("detail")
    if detail == "definition" and taken and event.type in DEFINING_TYPES:
        # Unknown fields of it are kept here.
        detail = "definition" if len(UnknownFieldSet(event.definition)) else None
    plain = detail is None and not event.fencing_token and not len(UnknownFieldSet(event))
    if plain and (task_known or not event.task_id):
        return None
    rest = pb.NewEvent()
    rest.CopyFrom(event)
    for name in _COLUMN_FIELDS:
        rest.ClearField(name)
    if task_known:
        rest.ClearField("task_id")
    if detail is None:
        rest.ClearField("definition")
    return rest.SerializeToString()
