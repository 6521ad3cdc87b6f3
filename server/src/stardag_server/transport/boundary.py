"""What surrounds every call: who may, what it is told when it fails.

grpc.aio by itself answers bytes that do not parse, and every exception, with
UNKNOWN and Python's text.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any, NoReturn

import grpc
from google.protobuf.message import DecodeError
from grpc.aio import ServerInterceptor, ServicerContext
from grpc_status import rpc_status

from stardag_server.auth.credentials import Credentials
from stardag_server.domain.refusals import Refusal, RequestInvalid
from stardag_server.metrics import Metrics
from stardag_server.transport.observed import ObservedCall
from stardag_server.transport.open_calls import OpenCalls
from stardag_server.transport.status import fault_status, refusal_status

_log = logging.getLogger(__name__)


Admit = Callable[[str, Credentials], Awaitable[None]]


def credentials(
    details: grpc.HandlerCallDetails, context: ServicerContext[Any, Any]
) -> Credentials:
    """Return what a call shows: a credential, or else the names in its client's certificate."""
    metadata: Any = details.invocation_metadata or ()
    if authorization := tuple(value for key, value in metadata if key == "authorization"):
        return Credentials(authorization)
    proven = context.auth_context()
    names = (*proven.get("peer_uri", ()), *proven.get("x509_common_name", ()))
    return Credentials((), tuple(name.decode("utf-8", "replace") for name in names))


@dataclass(frozen=True)
class _Unparsable:
    """Stands for a request whose bytes do not parse."""


class Boundary(ServerInterceptor):
    """Lets a call in or not, and turns what it raises into a status with details.

    `admit` is given a method and raises the Refusal of a call that may not be made. `open_calls`
    ends streams whose credential does not work any more.
    """

    def __init__(self, admit: Admit, open_calls: OpenCalls, metrics: Metrics) -> None:
        self.admit = admit
        self.open_calls = open_calls
        self.traffic = Traffic()
        self._metrics = metrics

    async def quiet(self) -> None:
        """Wait until no call is under way, not even one that is cancelled and cleans up."""
        await self.traffic.quiet()

    async def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]
        ],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wrap the handler of one call."""
        handler: Any = await continuation(handler_call_details)
        if handler is None:
            return None
        observed = ObservedCall(self._metrics, handler_call_details, not handler.response_streaming)
        call = _Call(self, handler_call_details, _behaviour(handler), observed)
        serve = call.serve_stream if handler.response_streaming else call.serve_one
        make: Any = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }[handler.request_streaming, handler.response_streaming]
        return make(serve, _lenient(handler.request_deserializer), handler.response_serializer)


class Traffic:
    """Counts the calls under way."""

    def __init__(self) -> None:
        self._calls = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    @contextlib.contextmanager
    def call(self) -> Generator[None]:
        """Count a call during the block."""
        self._calls += 1
        self._quiet.clear()
        try:
            yield
        finally:
            self._calls -= 1
            if not self._calls:
                self._quiet.set()

    async def quiet(self) -> None:
        """Wait until there is none."""
        await self._quiet.wait()


class _Call:
    """One call on its way through the boundary."""

    def __init__(
        self,
        boundary: Boundary,
        details: grpc.HandlerCallDetails,
        behaviour: Any,
        observed: ObservedCall,
    ) -> None:
        self._boundary = boundary
        self._details = details
        self._behaviour = behaviour
        self._observed = observed

    async def serve_one(self, request: Any, context: ServicerContext[Any, Any]) -> Any:
        with self._boundary.traffic.call(), self._observed:
            try:
                await self._admit(context)
                return await self._behaviour(_parsed(request), context)
            # Nothing of a fault may reach the client; see `_fail`.
            except Exception as error:
                await self._fail(error, context)

    async def serve_stream(
        self, request: Any, context: ServicerContext[Any, Any]
    ) -> AsyncIterator[Any]:
        with self._boundary.traffic.call(), self._observed:
            try:
                shown = await self._admit(context)
                responses = self._behaviour(_parsed(request), context)
                # grpc's own health service writes its responses by itself.
                if inspect.isawaitable(responses):
                    await responses
                    return
                with self._boundary.open_calls.open(shown):
                    async with contextlib.aclosing(responses):
                        async for response in responses:
                            yield response
            # As above.
            except Exception as error:
                await self._fail(error, context)

    async def _admit(self, context: ServicerContext[Any, Any]) -> Credentials:
        shown = credentials(self._details, context)
        await self._boundary.admit(self._details.method, shown)
        return shown

    async def _fail(self, error: Exception, context: ServicerContext[Any, Any]) -> NoReturn:
        # The handler has aborted the call itself, as those of grpc's own services do.
        if isinstance(error, grpc.aio.AbortError):
            raise error
        if isinstance(error, Refusal):
            status = refusal_status(error)
        else:
            error_id = secrets.token_hex(8)
            method = getattr(self._details, "method", "")
            _log.error("internal error %s in %s", error_id, method, exc_info=error)
            status = fault_status(error_id)
        self._observed.failed_with(status.code)
        await context.abort_with_status(rpc_status.to_status(status))


def _behaviour(handler: Any) -> Any:
    return (
        handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    )


def _lenient(deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def parse(data: bytes) -> Any:
        try:
            return deserialize(data)
        except DecodeError:
            return _Unparsable()

    return parse


def _parsed(request: Any) -> Any:
    """Return the request, or the stream of them. Raises RequestInvalid at what does not parse."""
    if isinstance(request, _Unparsable):
        raise RequestInvalid("the request is not a message of the contract")
    return _parsed_each(request) if hasattr(request, "__aiter__") else request


async def _parsed_each(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        yield _parsed(request)
