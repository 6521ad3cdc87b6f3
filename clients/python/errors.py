"""What a failed call says to a program: act on code and reason, never on the message."""

from __future__ import annotations

from typing import Any, cast

import grpc
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from grpc_status import rpc_status

DOMAIN = "stardag.dev"
DEFAULT_DELAY_S = 0.2


def reason(error: grpc.RpcError) -> str:
    """Return why the service refused a call, such as BUILD_NOT_FOUND; empty if it did not."""
    info = ErrorInfo()
    return info.reason if _unpack(error, info) and info.domain == DOMAIN else ""


def retry_delay_s(error: grpc.RpcError) -> float | None:
    """Return the seconds after which the same call is worth trying again, if it is."""
    info, code = RetryInfo(), cast("Any", error).code()
    told = info.retry_delay.ToTimedelta().total_seconds() if _unpack(error, info) else None
    if code is grpc.StatusCode.UNAVAILABLE:
        return DEFAULT_DELAY_S if told is None else told
    return told if code is grpc.StatusCode.RESOURCE_EXHAUSTED else None


def text(error: grpc.RpcError) -> str:
    """Return what a person should know of a failed call."""
    call, why = cast("Any", error), reason(error)
    return f"{call.code().name}{f' ({why})' if why else ''}: {call.details()}"


def _unpack(error: grpc.RpcError, detail: Message) -> bool:
    """Read a detail of the error into a message of its type; tell whether it has one."""
    status = cast("Any", rpc_status.from_call(cast("Any", error)))
    return any(packed.Unpack(detail) for packed in status.details) if status else False
