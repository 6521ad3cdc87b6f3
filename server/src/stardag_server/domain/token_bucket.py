"""A token bucket: so many a second, whatever comes."""

_SAVED_SECONDS = 1.0


class TokenBucket:
    """Gives `rate` tokens a second, and those of one second at once after a pause.

    What is taken at once may be more than there is, so that a large batch need
    not be cut; the next then waits until it is paid off. So in any `t` seconds
    at most `rate * (t + 1)` tokens go, and what was taken last. `now` is the
    time in seconds of any clock that does not go back.
    """

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._tokens = rate * _SAVED_SECONDS
        self._filled = now

    @property
    def rate(self) -> float:
        """Tokens a second."""
        return self._rate

    def take(self, count: int, now: float) -> float:
        """Take so many tokens; or take none, and return the seconds after which to ask again."""
        self._tokens = min(
            self._tokens + (now - self._filled) * self._rate, self._rate * _SAVED_SECONDS
        )
        self._filled = now
        if self._tokens <= 0:
            # A bucket that is exactly empty gives again after the next token.
            return (1 - self._tokens) / self._rate
        self._tokens -= count
        return 0.0
