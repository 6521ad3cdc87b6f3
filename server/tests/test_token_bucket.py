"""A token bucket keeps its rate."""

from hypothesis import given
from hypothesis import strategies as st

from stardag_server.domain.token_bucket import TokenBucket

TAKINGS = st.lists(st.tuples(st.floats(0, 3), st.integers(1, 500)), max_size=60)


@given(rate=st.integers(1, 1_000), takings=TAKINGS)
def test_in_any_time_it_gives_no_more_than_its_rate_and_a_seconds_more_and_the_last(
    rate: int, takings: list[tuple[float, int]]
):
    bucket, now = TokenBucket(rate, 0), 0.0
    given: list[tuple[float, int]] = []
    for pause, count in takings:
        now += pause
        if not bucket.take(count, now):
            given.append((now, count))
    for first, (begin, _) in enumerate(given):
        total = 0
        for at, count in given[first:]:
            assert total <= rate * (at - begin + 1) + 1e-6
            total += count


@given(rate=st.integers(1, 1_000), takings=TAKINGS)
def test_who_waits_as_long_as_it_says_gets_what_was_asked_for(
    rate: int, takings: list[tuple[float, int]]
):
    bucket, now = TokenBucket(rate, 0), 0.0
    for pause, count in takings:
        now += pause
        if wait := bucket.take(count, now):
            now += wait
            assert not bucket.take(count, now)


def test_what_was_not_used_for_long_gives_the_tokens_of_one_second_at_once():
    bucket = TokenBucket(10, 0)
    assert [bucket.take(1, 1_000) > 0 for _ in range(12)] == [False] * 10 + [True] * 2
