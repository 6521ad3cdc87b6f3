"""What watches agree with their readers."""

from google.protobuf.duration_pb2 import Duration

_DEFAULT_HEARTBEAT = 15.0
_HEARTBEAT_BOUNDS = (1.0, 60.0)


def heartbeat_seconds(asked: Duration) -> float:
    """Return the seconds of silence after which a heartbeat is sent."""
    seconds = asked.seconds + asked.nanos / 1e9
    if seconds == 0:
        return _DEFAULT_HEARTBEAT
    low, high = _HEARTBEAT_BOUNDS
    return min(max(seconds, low), high)
