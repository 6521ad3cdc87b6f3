"""Lists of the service, read to their end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def rows(method: Callable[[Any], Any], request: Any, name: str) -> Iterator[Any]:
    """Yield what is in the field `name` of each page that `method` returns from `request` on."""
    while True:
        page = method(request)
        yield from getattr(page, name)
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token
