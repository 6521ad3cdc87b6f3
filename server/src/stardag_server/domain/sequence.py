"""How a batch meets what is committed of its stream."""

from stardag_server.domain.refusals import SequenceGap


def already_committed(watermark: int, first_sequence: int, count: int) -> int:
    """Return how many events of a batch are committed already, counted from its begin.

    The batch has the numbers from `first_sequence` on; everything up to and
    with `watermark` is committed. Raises SequenceGap if numbers between are
    missing.
    """
    if count and first_sequence > watermark + 1:
        raise SequenceGap(watermark + 1, first_sequence)
    return min(count, max(0, watermark + 1 - first_sequence))
