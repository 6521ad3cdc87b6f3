"""Values that a program may replace, for itself or for a while."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from stardag._provider import Provider


def test_a_value_is_made_when_it_is_first_asked_for_and_again_after_a_reset() -> None:
    numbers = count()
    provider = Provider(lambda: next(numbers))
    assert [provider.get(), provider.get()] == [0, 0]
    provider.reset()
    assert provider.get() == 1
    provider.set(7)
    assert provider.get() == 7


def test_an_override_ends_with_its_block_however_that_ends() -> None:
    provider = Provider(lambda: "default")
    with provider.override("outer") as outer:
        assert outer == provider.get() == "outer"
        with pytest.raises(RuntimeError), provider.override("inner"):
            assert provider.get() == "inner"
            raise RuntimeError
        assert provider.get() == "outer"
    assert provider.get() == "default"


def test_an_override_holds_in_every_thread() -> None:
    provider = Provider(lambda: "default")
    with ThreadPoolExecutor(2) as pool, provider.override("replaced"):
        assert {pool.submit(provider.get).result() for _ in range(4)} == {"replaced"}
