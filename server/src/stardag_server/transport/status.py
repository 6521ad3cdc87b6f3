"""From a refusal to what a gRPC client gets: google.rpc.Status with details (AIP-193)."""

from collections.abc import Iterator

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from stardag.v1 import error_reason_pb2 as reasons
from stardag_server.domain.refusals import QuotaExceeded, Refusal

DOMAIN = "stardag.dev"

_PREFIX = "ERROR_REASON_"
_MAX_VIOLATIONS = 20
# In bytes. A name from a request may be as long as a message, and grpc replaces what it finds
# too large by an error of its own.
_MAX_MESSAGE = 1_000
_MAX_VALUE = 500
_MAX_FIELD = 100
_MAX_RULE = 150

_REASONS = {
    grpc.StatusCode.INVALID_ARGUMENT: (
        reasons.ERROR_REASON_REQUEST_INVALID,
        reasons.ERROR_REASON_FILTER_INVALID,
        reasons.ERROR_REASON_ORDER_INVALID,
        reasons.ERROR_REASON_PAGE_TOKEN_INVALID,
        reasons.ERROR_REASON_CURSOR_INVALID,
        reasons.ERROR_REASON_TASK_ID_MISMATCH,
        reasons.ERROR_REASON_ASSET_INVALID,
        reasons.ERROR_REASON_DIGEST_MISMATCH,
        reasons.ERROR_REASON_STREAM_PROTOCOL,
        reasons.ERROR_REASON_ARCHIVE_INVALID,
    ),
    grpc.StatusCode.UNAUTHENTICATED: (
        reasons.ERROR_REASON_CREDENTIAL_MISSING,
        reasons.ERROR_REASON_CREDENTIAL_INVALID,
    ),
    grpc.StatusCode.PERMISSION_DENIED: (reasons.ERROR_REASON_SCOPE_MISSING,),
    grpc.StatusCode.NOT_FOUND: (
        reasons.ERROR_REASON_WORKSPACE_NOT_FOUND,
        reasons.ERROR_REASON_TASK_NOT_FOUND,
        reasons.ERROR_REASON_BUILD_NOT_FOUND,
        reasons.ERROR_REASON_ASSET_NOT_FOUND,
        reasons.ERROR_REASON_LIMIT_NOT_FOUND,
        reasons.ERROR_REASON_KEY_NOT_FOUND,
    ),
    grpc.StatusCode.ALREADY_EXISTS: (
        reasons.ERROR_REASON_TASK_CONFLICT,
        reasons.ERROR_REASON_BUILD_EXISTS,
        reasons.ERROR_REASON_WORKSPACE_EXISTS,
    ),
    grpc.StatusCode.FAILED_PRECONDITION: (reasons.ERROR_REASON_LIMIT_IN_USE,),
    grpc.StatusCode.OUT_OF_RANGE: (
        reasons.ERROR_REASON_SEQUENCE_GAP,
        reasons.ERROR_REASON_CURSOR_EXPIRED,
    ),
    grpc.StatusCode.ABORTED: (
        reasons.ERROR_REASON_STREAM_SUPERSEDED,
        reasons.ERROR_REASON_ETAG_MISMATCH,
    ),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (
        reasons.ERROR_REASON_MESSAGE_TOO_LARGE,
        reasons.ERROR_REASON_ASSET_TOO_LARGE,
        reasons.ERROR_REASON_RATE_LIMITED,
        reasons.ERROR_REASON_QUOTA_EXCEEDED,
        reasons.ERROR_REASON_TOO_MANY_STREAMS,
    ),
    grpc.StatusCode.UNAVAILABLE: (
        reasons.ERROR_REASON_SERVER_DRAINING,
        reasons.ERROR_REASON_STORAGE_UNAVAILABLE,
        reasons.ERROR_REASON_SERVER_OVERLOADED,
    ),
    grpc.StatusCode.UNIMPLEMENTED: (reasons.ERROR_REASON_NOT_IMPLEMENTED,),
}

_CODES = {reason: code for code, named in _REASONS.items() for reason in named}
"""The code of each reason, as `error_reason.proto` says."""


def refusal_status(refusal: Refusal) -> status_pb2.Status:
    """Return the status that tells a client of the refusal; under 8 KiB."""
    return _status(_CODES[refusal.reason].value[0], refusal.message, [*_details(refusal)])


def _details(refusal: Refusal) -> Iterator[Message]:
    yield error_details_pb2.ErrorInfo(
        reason=reasons.ErrorReason.Name(refusal.reason).removeprefix(_PREFIX),
        domain=DOMAIN,
        metadata={key: _cut(text, _MAX_VALUE) for key, text in refusal.metadata.items()},
    )
    if refusal.violations:
        bad = error_details_pb2.BadRequest()
        for violation in refusal.violations[:_MAX_VIOLATIONS]:
            bad.field_violations.add(
                field=_cut(violation.field, _MAX_FIELD),
                description=_cut(violation.rule, _MAX_RULE),
            )
        yield bad
    if isinstance(refusal, QuotaExceeded):
        quota = error_details_pb2.QuotaFailure()
        quota.violations.add(subject="workspace", description=refusal.message)
        yield quota
    if refusal.retry_after is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(round(refusal.retry_after * 1_000))
        yield retry


def fault_status(error_id: str) -> status_pb2.Status:
    """Return the status for a fault of the server, which says where to find it and no more."""
    info = error_details_pb2.ErrorInfo(
        reason=reasons.ErrorReason.Name(reasons.ERROR_REASON_INTERNAL_ERROR).removeprefix(_PREFIX),
        domain=DOMAIN,
        metadata={"errorId": error_id},
    )
    message = f"internal error {error_id}; the server's log says more"
    return _status(code_pb2.INTERNAL, message, [info])


def _status(code: int, message: str, details: list[Message]) -> status_pb2.Status:
    packed: list[any_pb2.Any] = []
    for detail in details:
        packed.append(any_pb2.Any())
        packed[-1].Pack(detail)
    return status_pb2.Status(code=code, message=_cut(message, _MAX_MESSAGE), details=packed)


def _cut(text: str, size: int) -> str:
    """Return the beginning of a text that has so many bytes at most."""
    return text.encode()[:size].decode(errors="ignore")
