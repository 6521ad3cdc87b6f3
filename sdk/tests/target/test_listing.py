"""Existence of many keys from pages of a listing: right for any keys, and few requests."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from stardag.target.stores.listing import PAGE, folder_of, offset_before, present

segments = st.text(
    st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="/")
).filter(lambda text: text not in ("", ".", ".."))
keys = st.lists(segments, min_size=1, max_size=4).map("/".join)


@dataclass
class Listing:
    """A bucket that counts what it is asked."""

    there: list[str]
    pages_asked: int = 0
    heads_asked: int = 0

    def pages(self, runs: Sequence[Sequence[str]]) -> Iterator[list[str]]:
        for run in runs:
            self.pages_asked += 1
            folder = folder_of(run)
            below = [key for key in self.there if folder is None or key.startswith(f"{folder}/")]
            start = bisect_right(below, offset_before(run[0]) or "")
            yield below[start : start + PAGE]

    def heads(self, keys: Sequence[str]) -> Iterator[bool]:
        for key in keys:
            self.heads_asked += 1
            yield key in self.there


@given(st.sets(keys), st.sets(keys, min_size=1))
def test_every_key_is_found_that_is_there(there: set[str], others: set[str]) -> None:
    asked = sorted(there | others)
    assert present(asked, (listing := Listing(sorted(there))).pages, listing.heads) == there


@given(
    st.integers(1, 5000),
    st.integers(1, 400),
    st.integers(0, 3),
    st.integers(0, 10).map(lambda i: i / 10),
)
def test_it_is_right_however_dense_the_keys_are(
    asked: int, apart: int, folders: int, share: float
) -> None:
    everything = [f"{i % (folders + 1)}/{i:07}" for i in range(0, min(asked * apart, 20_000))]
    wanted = sorted(everything[::apart])
    there = sorted(set(everything) - set(wanted[int(len(wanted) * share) :]))
    listing = Listing(there)
    assert present(wanted, listing.pages, listing.heads) == set(wanted) & set(there)


def test_keys_that_are_all_there_are_is_to_list_takes_a_page_a_thousand() -> None:
    asked = [f"name/{i // 100:03}/{i:05}" for i in range(10_000)]
    listing = Listing(asked)
    assert present(asked, listing.pages, listing.heads) == set(asked)
    assert listing.pages_asked <= 20
    assert listing.heads_asked <= 20


def test_few_keys_among_very_many_are_asked_for_one_by_one() -> None:
    everything = [f"{i:06}" for i in range(200_000)]
    asked = everything[::1000]
    listing = Listing(everything)
    assert present(asked, listing.pages, listing.heads) == set(asked)
    assert listing.pages_asked == 1
    assert listing.heads_asked <= len(asked)


@given(keys)
def test_an_offset_comes_before_its_key_and_is_the_name_of_an_object(key: str) -> None:
    offset = offset_before(key)
    assert offset is None or (offset < key and all(offset.split("/")))


@given(st.sets(keys, min_size=1))
def test_a_folder_has_all_keys(keys: set[str]) -> None:
    folder = folder_of(sorted(keys))
    assert folder is None or all(key.startswith(f"{folder}/") for key in keys)
