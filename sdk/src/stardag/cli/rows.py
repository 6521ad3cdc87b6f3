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


def first(call: Callable[[Any], Any], request: Any, field: str, limit: int) -> list[Any]:
    """Return the first `limit` rows; where there are more, say so on stderr."""
    request.page_size = min(limit + 1, _PAGE)
    found = list(islice(rows(call, request, field), limit + 1))
    if len(found) > limit:
        output.note(f"there are more than these {limit}; --limit {limit * 5} shows more")
    return found[:limit]
