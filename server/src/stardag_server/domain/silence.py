"""When a build whose producer says nothing any more is given up."""

from stardag.v1 import event_pb2 as pb

SILENCE_US = 90 * 1_000_000
"""Silence after which a producer is taken for dead; it is to speak every 15 s."""


def inferred_death(build_id: bytes, last_heard: int) -> pb.NewEvent:
    """Return the event by which the server gives up a build last heard of at that time.

    It is folded like the producer's own PRODUCER_DIED, and revoked likewise.
    """
    reason = f"nothing was heard of its producer for {SILENCE_US // 1_000_000} s"
    return pb.NewEvent(
        build_id=build_id,
        type=pb.EVENT_TYPE_PRODUCER_DIED,
        event_time_us=last_heard,
        build_end=pb.BuildEnd(reason=reason),
    )
