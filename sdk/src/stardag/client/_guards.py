"""What every call gets on its way out, and what its failure is called on its way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

from stardag.client._errors import (
    NotFoundError,
    ServerError,
    UnauthenticatedError,
    UnreachableError,
)
from stardag.tracking.connection import rpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from stardag.tracking.connection.address import Address
    from stardag.tracking.connection.credential import Credential

DEADLINE_S = 10.0
"""Seconds a unary call may take unless it is given another limit."""

_WHAT_TO_DO = "check the address, and that the server runs (stardag-server starts one here)"


@dataclass(slots=True)
class Terms:
    """The terms on which calls are made: with whom, as whom, and what failures are called."""

    address: Address
    credential: Credential
    closed: bool = False
    """True once no more calls may be made."""

    def apply(self, details: Any, *, unary: bool) -> grpc.aio.ClientCallDetails:
        """Return `details` with the credential and a limit of time.

        Raises `RuntimeError` if the client is closed: grpc itself may crash the process then.
        """
        if self.closed:
            raise RuntimeError("this client is closed")
        metadata = [*(details.metadata or ()), *rpc.bearer(self.credential.read())]
        timeout = details.timeout
        if unary and timeout is None:
            timeout = DEADLINE_S
        return grpc.aio.ClientCallDetails(
            method=details.method,
            timeout=timeout,
            metadata=grpc.aio.Metadata(*metadata),
            credentials=details.credentials,
            wait_for_ready=details.wait_for_ready,
        )

    def error(self, error: grpc.RpcError) -> ServerError:
        failure = rpc.failure_of(error)
        if failure.code is grpc.StatusCode.NOT_FOUND:
            return NotFoundError(str(failure), failure)
        if failure.code is grpc.StatusCode.UNAUTHENTICATED:
            return UnauthenticatedError(
                f"{self.address} does not accept the credential ({failure}); "
                f"{self.credential.remedy()}",
                failure,
            )
        if failure.code is grpc.StatusCode.UNAVAILABLE:
            return UnreachableError(
                f"{self.address} can't be reached ({failure}); {_WHAT_TO_DO}", failure
            )
        if failure.code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return UnreachableError(
                f"{self.address} did not answer in time; {_WHAT_TO_DO}, or give the call more time",
                failure,
            )
        return ServerError(f"{self.address} refused the call: {failure}", failure)


class Guard(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    def __init__(self, terms: Terms) -> None:
        self._terms = terms

    def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        call = continuation(self._terms.apply(client_call_details, unary=True), request)
        if (error := call.exception()) is not None:
            raise self._terms.error(error) from None
        return call

    def intercept_unary_stream(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        call = continuation(self._terms.apply(client_call_details, unary=False), request)
        return self._responses(call)

    def intercept_stream_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request_iterator: Any
    ) -> Any:
        call = continuation(self._terms.apply(client_call_details, unary=False), request_iterator)
        if (error := call.exception()) is not None:
            raise self._terms.error(error) from None
        return call

    def intercept_stream_stream(
        self, continuation: Callable[..., Any], client_call_details: Any, request_iterator: Any
    ) -> Any:
        call = continuation(self._terms.apply(client_call_details, unary=False), request_iterator)
        return self._responses(call)

    def _responses(self, call: Any) -> Iterator[Any]:
        try:
            yield from call
        except grpc.RpcError as error:
            raise self._terms.error(error) from None
        finally:
            call.cancel()  # whoever stops reading half-way is done with it


class _AsyncUnaryGuard(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, terms: Terms) -> None:
        self._terms = terms

    async def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        call = await continuation(self._terms.apply(client_call_details, unary=True), request)
        try:
            return await call
        except grpc.aio.AioRpcError as error:
            raise self._terms.error(error) from None


class _AsyncStreamGuard(grpc.aio.UnaryStreamClientInterceptor):
    def __init__(self, terms: Terms) -> None:
        self._terms = terms

    async def intercept_unary_stream(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        call = await continuation(self._terms.apply(client_call_details, unary=False), request)
        return self._responses(call)

    async def _responses(self, call: Any) -> AsyncIterator[Any]:
        try:
            async for response in call:
                yield response
        except grpc.aio.AioRpcError as error:
            raise self._terms.error(error) from None
        finally:
            call.cancel()


class _AsyncStreamUnaryGuard(grpc.aio.StreamUnaryClientInterceptor):
    """Gives the credential; failures stay those of grpc, as the caller writes to the call."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms

    async def intercept_stream_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request_iterator: Any
    ) -> Any:
        details = self._terms.apply(client_call_details, unary=False)
        return await continuation(details, request_iterator)


class _AsyncBothStreamGuard(grpc.aio.StreamStreamClientInterceptor):
    """As the one for streams with one response."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms

    async def intercept_stream_stream(
        self, continuation: Callable[..., Any], client_call_details: Any, request_iterator: Any
    ) -> Any:
        details = self._terms.apply(client_call_details, unary=False)
        return await continuation(details, request_iterator)


ASYNC_GUARDS = (
    _AsyncUnaryGuard,
    _AsyncStreamGuard,
    _AsyncStreamUnaryGuard,
    _AsyncBothStreamGuard,
)
