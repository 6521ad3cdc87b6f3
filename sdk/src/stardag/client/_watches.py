"""Watches that go on where they stopped."""

from __future__ import annotations

import asyncio
import time
from copy import deepcopy
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, overload

import grpc.aio

from stardag.client._errors import ServerError, UnreachableError
from stardag.tracking.connection.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import grpc

_PATIENCE_S = 60.0
_RETRY_CAP_S = 3.0


class Cursor(Protocol):
    """A request or response of any watch of the contract."""

    cursor: str


RequestT = TypeVar("RequestT", bound=Cursor)
ResponseT = TypeVar("ResponseT", bound=Cursor)


@overload
def watch(
    call: grpc.UnaryStreamMultiCallable[RequestT, ResponseT], request: RequestT
) -> Iterator[ResponseT]: ...
@overload
def watch(
    call: grpc.aio.UnaryStreamMultiCallable[RequestT, ResponseT], request: RequestT
) -> AsyncIterator[ResponseT]: ...
def watch(
    call: grpc.UnaryStreamMultiCallable[RequestT, ResponseT]
    | grpc.aio.UnaryStreamMultiCallable[RequestT, ResponseT],
    request: RequestT,
) -> Iterator[ResponseT] | AsyncIterator[ResponseT]:
    """Yield the responses of a watch, from the cursor in `request` on, heartbeats too.

    Goes on after the last one if the connection breaks or the server restarts: none comes
    twice, none is left out. Of an `AsyncClient`, an async iterator. `request` stays as it is.

    Raises `UnreachableError` if no server answers for a minute, and `ServerError` if it refuses,
    or for a minute asks to try again later.
    """
    if isinstance(call, grpc.aio.UnaryStreamMultiCallable):
        return _watch_aio(call, request)
    return _watch(call, request)


def _watch(
    call: grpc.UnaryStreamMultiCallable[RequestT, ResponseT], request: RequestT
) -> Iterator[ResponseT]:
    place = Place(request)
    while True:
        try:
            for response in call(place.request):
                place.note(response)
                yield response
        except ServerError as error:
            time.sleep(place.pause_after(error, time.monotonic()))
        else:
            return


async def _watch_aio(
    call: grpc.aio.UnaryStreamMultiCallable[RequestT, ResponseT], request: RequestT
) -> AsyncIterator[ResponseT]:
    place = Place(request)
    while True:
        try:
            async for response in call(place.request):
                place.note(response)
                yield response
        except ServerError as error:
            await asyncio.sleep(place.pause_after(error, time.monotonic()))
        else:
            return


class Place(Generic[RequestT]):
    """Where a watch stands, and whether it is worth going on after a failure."""

    def __init__(self, request: RequestT) -> None:
        self.request = deepcopy(request)
        self._failing_since: float | None = None
        self._backoff = Backoff(_RETRY_CAP_S)

    def note(self, response: Cursor) -> None:
        self.request.cursor = response.cursor
        if self._failing_since is not None:
            self._failing_since = None
            self._backoff = Backoff(_RETRY_CAP_S)

    def pause_after(self, error: ServerError, now: float) -> float:
        """Return the seconds to wait before going on; raise `error` if there is no use in it.

        Patience begins with the first failure in a row: who reads slowly has not waited yet.
        """
        if self._failing_since is None:
            self._failing_since = now
        passing = isinstance(error, UnreachableError) or error.retry_after_s > 0
        if not passing or now - self._failing_since > _PATIENCE_S:
            raise error
        return self._backoff.failed(at_least_s=error.retry_after_s)
