"""Rows of a list, over all its pages."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from stardag.cli import output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PAGE = 1000


def rows(call: Callable[[Any], Any], request: Any, field: str) -> Iterator[Any]:
    """Yield what is in `field` of each page that a List method returns. Raises `ServerError`."""
    request.page_size = request.page_size or _PAGE
    while True:
        page = call(request)
        yield from getattr(page, field)
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def first(
    call: Callable[[Any], Any], request: Any, field: str, limit: int
) -> tuple[list[Any], bool]:
    """Return the first `limit` rows, and whether there are more. Raises `ServerError`."""
    request.page_size = min(limit + 1, _PAGE)
    found = list(islice(rows(call, request, field), limit + 1))
    return found[:limit], len(found) > limit


def tell_cut(shown: int, more: bool) -> None:
    """Say on stderr that a list was cut, if there are `more` than those shown."""
    if more:
        output.note(f"there are more than these {shown}; --limit {shown * 5} shows more")
