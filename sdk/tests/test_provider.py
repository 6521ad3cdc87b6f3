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


def test_overrides_that_overlap_end_each_on_its_own() -> None:
    provider = Provider(lambda: "default")
    first, second = provider.override("same"), provider.override("same")
    third = provider.override("third")
    for begun in (first, second, third):
        begun.__enter__()
    first.__exit__(None, None, None)
    assert provider.get() == "third"
    third.__exit__(None, None, None)
    assert provider.get() == "same"
    second.__exit__(None, None, None)
    assert provider.get() == "default"


def test_what_is_set_within_an_override_ends_with_it() -> None:
    provider = Provider(lambda: "default")
    with provider.override("replaced"):
        provider.set("set")
        assert provider.get() == "set"
    assert provider.get() == "default"


def test_an_override_holds_in_every_thread() -> None:
    provider = Provider(lambda: "default")
    with ThreadPoolExecutor(2) as pool, provider.override("replaced"):
        assert {pool.submit(provider.get).result() for _ in range(4)} == {"replaced"}
