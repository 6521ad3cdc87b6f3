"""Which of many keys there are, by pages of an ordered listing: the rules, without the requests."""

from __future__ import annotations

from bisect import bisect_right
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGE = 1000
"""Keys on a full page of a listing."""
WORTH_A_PAGE = 12
"""Keys that a page must settle to have been worth it; S3 charges a page as 12.5 heads."""


class Settled(NamedTuple):
    """What one page says about the keys asked for."""

    found: set[str]
    """Those that there are, of the keys up to the page's end."""
    rest: Sequence[str]
    """Those that come after the page."""
    dense: bool
    """Whether another page is the way to settle the rest."""


def slices(keys: Sequence[str]) -> list[Sequence[str]]:
    """Return sorted keys in runs, each of which one page settles if nothing else is between."""
    return [keys[i : i + PAGE] for i in range(0, len(keys), PAGE)]


def settle(wanted: Sequence[str], page: Sequence[str]) -> Settled:
    """Return what `page` says about the sorted keys `wanted`, the first of which it reaches.

    A page with fewer than `PAGE` keys is the listing's last.
    """
    end = len(wanted) if len(page) < PAGE else bisect_right(wanted, page[-1])
    return Settled(set(wanted[:end]).intersection(page), wanted[end:], end >= WORTH_A_PAGE)


def folder_of(wanted: Sequence[str]) -> str | None:
    """Return the deepest folder that all sorted keys are in, or None if they share none."""
    first, last = (key.split("/")[:-1] for key in (wanted[0], wanted[-1]))
    shared = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return "/".join(name for name, _ in shared) or None


def offset_before(key: str) -> str | None:
    """Return a key that comes before `key` with little between them, or None for the start."""
    folder, _, name = key.rpartition("/")
    name = name[:-1]
    if name in ("", ".", ".."):  # no names of objects
        return folder or None
    return f"{folder}/{name}" if folder else name
