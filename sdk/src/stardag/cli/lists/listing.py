"""The first rows of a list, and a word where there are more."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Protocol, TypeVar

from stardag.cli import output
from stardag.client import rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import grpc


class SizedRequest(Protocol):
    """A request of a list, for a page of some size."""

    page_size: int
    page_token: str


class Page(Protocol):
    """A page of a list."""

    next_page_token: str


RequestT = TypeVar("RequestT", bound=SizedRequest)
PageT = TypeVar("PageT", bound=Page)
RowT = TypeVar("RowT")

PAGE = 1000
"""The most rows that a server puts on a page."""


def first(
    call: grpc.UnaryUnaryMultiCallable[RequestT, PageT],
    request: RequestT,
    of: Callable[[PageT], Iterable[RowT]],
    limit: int | None,
) -> tuple[list[RowT], bool]:
    """Return the first `limit` rows, all for None, and whether there are more.

    Otherwise as `stardag.client.rows`; the size of the pages is set to suit.
    """
    request.page_size = PAGE if limit is None else min(limit + 1, PAGE)
    found = list(islice(rows(call, request, of), limit and limit + 1))
    return found[:limit], limit is not None and len(found) > limit


def tell_cut(shown: int, more: bool) -> None:
    """Say on stderr that a list was cut, if there are `more` than those shown."""
    if more:
        output.note(f"there are more than these {shown}; --limit {shown * 5} shows more")
