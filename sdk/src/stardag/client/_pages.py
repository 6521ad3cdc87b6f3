"""The rows of a list, over all its pages."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Protocol, TypeVar, overload

import grpc.aio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

    import grpc


class PageRequest(Protocol):
    """A request of any list of the contract."""

    page_token: str


class Page(Protocol):
    """A response of any list of the contract."""

    next_page_token: str


RequestT = TypeVar("RequestT", bound=PageRequest)
PageT = TypeVar("PageT", bound=Page)
RowT = TypeVar("RowT")


@overload
def rows(
    call: grpc.UnaryUnaryMultiCallable[RequestT, PageT],
    request: RequestT,
    of: Callable[[PageT], Iterable[RowT]],
) -> Iterator[RowT]: ...
@overload
def rows(
    call: grpc.aio.UnaryUnaryMultiCallable[RequestT, PageT],
    request: RequestT,
    of: Callable[[PageT], Iterable[RowT]],
) -> AsyncIterator[RowT]: ...
def rows(
    call: grpc.UnaryUnaryMultiCallable[RequestT, PageT]
    | grpc.aio.UnaryUnaryMultiCallable[RequestT, PageT],
    request: RequestT,
    of: Callable[[PageT], Iterable[RowT]],
) -> Iterator[RowT] | AsyncIterator[RowT]:
    """Yield the rows of a list from the page that `request` asks for to the last.

    `of` takes them from a page. A page is asked for when its first row is; what `of` does
    not take, such as the counts on a first page, is for who calls the method itself. Of an
    `AsyncClient`, an async iterator. `request` stays as it is.

    Raises `ServerError`.
    """
    if isinstance(call, grpc.aio.UnaryUnaryMultiCallable):
        return _rows_aio(call, request, of)
    return _rows(call, request, of)


def _rows(
    call: grpc.UnaryUnaryMultiCallable[RequestT, PageT],
    request: RequestT,
    of: Callable[[PageT], Iterable[RowT]],
) -> Iterator[RowT]:
    following: RequestT | None = request
    while following is not None:
        page = call(following)
        yield from of(page)
        following = _after(page, following)


async def _rows_aio(
    call: grpc.aio.UnaryUnaryMultiCallable[RequestT, PageT],
    request: RequestT,
    of: Callable[[PageT], Iterable[RowT]],
) -> AsyncIterator[RowT]:
    following: RequestT | None = request
    while following is not None:
        page = await call(following)
        for row in of(page):
            yield row
        following = _after(page, following)


def _after(page: Page, request: RequestT) -> RequestT | None:
    """Return the request of the page that follows, or None if `page` is the last."""
    if not page.next_page_token:
        return None
    following = deepcopy(request)
    following.page_token = page.next_page_token
    return following
