"""What every call to a server has in common: connection, credential, errors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
from google.rpc import error_details_pb2, status_pb2

from stardag.tracking.connection.meaning import meaning

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from stardag.tracking.connection.address import Address
    from stardag.tracking.connection.meaning import Cause
    from stardag.tracking.connection.tls import TlsFiles

_DOMAIN = "stardag.dev"
_DETAILS = "grpc-status-details-bin"
_OPTIONS: list[tuple[str, Any]] = [
    # a connection of one's own, with no memory of earlier failures
    ("grpc.use_local_subchannel_pool", 1),
    # by default, two minutes of outage are followed by another in which nothing is tried
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
    # despite its name, how long it may take to connect
    ("grpc.min_reconnect_backoff_ms", 10_000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
]


def aio_channel(
    address: Address, tls: TlsFiles, interceptors: Sequence[grpc.aio.ClientInterceptor] = ()
) -> grpc.aio.Channel:
    """Return a channel for asyncio, which connects when it is used.

    Raises `TlsError` if the files can't be used.
    """
    options = _options(address)
    if not address.tls:
        return grpc.aio.insecure_channel(address.target, options, interceptors=interceptors)
    credentials = grpc.ssl_channel_credentials(*tls.read())
    return grpc.aio.secure_channel(address.target, credentials, options, interceptors=interceptors)


def channel(address: Address, tls: TlsFiles) -> grpc.Channel:
    """Return a channel; otherwise as `aio_channel`."""
    if address.tls:
        credentials = grpc.ssl_channel_credentials(*tls.read())
        return grpc.secure_channel(address.target, credentials, options=_options(address))
    return grpc.insecure_channel(address.target, options=_options(address))


def bearer(token: str | None) -> list[tuple[str, str]]:
    """Return the metadata that carries a credential."""
    return [("authorization", f"Bearer {token}")] if token else []


@dataclass
class RpcFailure(Exception):
    """A call that failed, in the terms of the contract."""

    code: grpc.StatusCode
    message: str
    reason: str = ""
    """Name of an `ErrorReason` without its prefix; empty if it was not the server that spoke."""
    details: Mapping[str, str] = field(default_factory=dict[str, str])
    """Everything variable in the message."""
    retry_after_s: float = 0.0
    """Seconds the server asks to wait."""
    cause: Cause | None = None
    """Why there was no connection, if that is known."""

    def __str__(self) -> str:
        """Return the message."""
        return self.message or self.code.name


def failure_of(error: grpc.RpcError) -> RpcFailure:
    """Return what a call's exception says."""
    if not isinstance(error, grpc.Call | grpc.aio.AioRpcError):
        return RpcFailure(grpc.StatusCode.UNKNOWN, str(error))
    return _failure(error.code(), error.details(), error.trailing_metadata())


async def failure_of_call(call: grpc.aio.Call) -> RpcFailure:
    """Return what a call that has ended says; with code OK if it ended well."""
    return _failure(await call.code(), await call.details(), await call.trailing_metadata())


def _failure(
    code: grpc.StatusCode, message: str | None, trailer: Iterable[tuple[str, str | bytes]] | None
) -> RpcFailure:
    failure = RpcFailure(code, message or "")
    if code is grpc.StatusCode.UNAVAILABLE and (meant := meaning(failure.message)):
        failure.message, failure.cause = meant
    for key, value in trailer or ():
        if key == _DETAILS and isinstance(value, bytes):
            _read_details(failure, status_pb2.Status.FromString(value))
    return failure


def _read_details(failure: RpcFailure, status: status_pb2.Status) -> None:
    for detail in status.details:
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        if detail.Unpack(info) and info.domain == _DOMAIN:
            failure.reason, failure.details = info.reason, dict(info.metadata)
        elif detail.Unpack(retry):
            failure.retry_after_s = retry.retry_delay.ToTimedelta().total_seconds()


def _options(address: Address) -> list[tuple[str, Any]]:
    # a proxy for the world outside is none for this machine
    return [*_OPTIONS, ("grpc.enable_http_proxy", 0)] if address.is_loopback else _OPTIONS
