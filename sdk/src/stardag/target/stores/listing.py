"""Which of many keys there are, from pages of an ordered listing where they are dense."""

from __future__ import annotations

from bisect import bisect_right
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

PAGE = 1000
"""Keys on a full page of a listing."""
WORTH_A_PAGE = 12
"""Keys that a page must settle to have been worth it; S3 charges a page as 12.5 heads."""


def present(
    keys: Sequence[str],
    pages: Callable[[Sequence[Sequence[str]]], Iterable[Sequence[str]]],
    heads: Callable[[Sequence[str]], Iterable[bool]],
) -> set[str]:
    """Return which of the sorted `keys` there are, in few requests.

    `pages` returns for each of some runs of sorted keys the page of the listing that starts at
    or shortly before the run's first key; one with fewer than `PAGE` keys is the listing's last.
    `heads` returns for each key whether it is there.
    """
    found: set[str] = set()
    sparse: list[str] = []
    runs: list[Sequence[str]] = [keys[i : i + PAGE] for i in range(0, len(keys), PAGE)]
    while runs:
        settled = [settle(run, page) for run, page in zip(runs, pages(runs), strict=True)]
        found.update(*(run.found for run in settled))
        sparse += [key for run in settled if not run.dense for key in run.rest]
        runs = [run.rest for run in settled if run.dense and run.rest]
    found.update(key for key, there in zip(sparse, heads(sparse), strict=True) if there)
    return found


class Settled(NamedTuple):
    """What one page says about a run of keys."""

    found: set[str]
    """Those that there are, of the keys up to the page's end."""
    rest: Sequence[str]
    """Those that come after the page."""
    dense: bool
    """Whether another page is the way to settle the rest."""


def settle(run: Sequence[str], page: Sequence[str]) -> Settled:
    """Return what a page that starts at or before the run's first key says about the run."""
    end = len(run) if len(page) < PAGE else bisect_right(run, page[-1])
    return Settled(set(run[:end]).intersection(page), run[end:], end >= WORTH_A_PAGE)


def folder_of(run: Sequence[str]) -> str | None:
    """Return the deepest folder that all keys of the run are in, or None if they share none."""
    first, last = (key.split("/")[:-1] for key in (run[0], run[-1]))
    shared = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return "/".join(name for name, _ in shared) or None


def offset_before(key: str) -> str | None:
    """Return a key that comes before `key` with little between them, or None for the start."""
    folder, _, name = key.rpartition("/")
    name = name[:-1]
    if name in ("", ".", ".."):  # no names of objects
        return folder or None
    return f"{folder}/{name}" if folder else name
