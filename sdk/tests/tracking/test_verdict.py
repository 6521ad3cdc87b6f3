"""Whose fault a failed delivery is, by what the server says."""

from __future__ import annotations

import grpc
import pytest

from stardag.tracking.connection.rpc import RpcFailure
from stardag.tracking.connection.verdict import Fault, judge
from stardag.tracking.sender.uplink import SpoolGapError
from stardag.tracking.sender.window import AckError


@pytest.mark.parametrize(
    ("code", "reason", "fault", "answered"),
    [
        (grpc.StatusCode.UNAVAILABLE, "", Fault.SERVER, False),
        (grpc.StatusCode.UNAVAILABLE, "SERVER_DRAINING", Fault.SERVER, True),
        (grpc.StatusCode.INTERNAL, "INTERNAL_ERROR", Fault.SERVER, True),
        (grpc.StatusCode.INTERNAL, "", Fault.UNKNOWN, False),
        (grpc.StatusCode.UNIMPLEMENTED, "", Fault.SERVER, False),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "", Fault.SERVER, False),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE", Fault.STREAM, True),
        (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIAL_INVALID", Fault.CREDENTIAL, True),
        (grpc.StatusCode.OUT_OF_RANGE, "SEQUENCE_GAP", Fault.POSITION, True),
        (grpc.StatusCode.ABORTED, "STREAM_SUPERSEDED", Fault.SUPERSEDED, True),
        (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID", Fault.STREAM, True),
    ],
)
def test_code_and_reason_decide(
    code: grpc.StatusCode, reason: str, fault: Fault, answered: bool
) -> None:
    verdict = judge(RpcFailure(code, "said", reason, retry_after_s=2.5))
    assert verdict == (fault, "said", 2.5, answered)


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (TimeoutError(), Fault.SILENCE),
        (RpcFailure(grpc.StatusCode.UNAVAILABLE, "no gRPC", cause="silence"), Fault.SILENCE),
        (RpcFailure(grpc.StatusCode.UNAVAILABLE, "expired", cause="tls"), Fault.TRUST),
        (AckError("never sent"), Fault.STREAM),
        (SpoolGapError("event 7 is missing"), Fault.STREAM),
        (PermissionError("no"), Fault.STREAM),
    ],
)
def test_so_does_what_went_wrong_on_this_side(error: Exception, fault: Fault) -> None:
    assert judge(error).fault is fault
    assert judge(error).message
