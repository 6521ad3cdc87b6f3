"""What a failed delivery means for the stream, and for all streams; pure, no I/O."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

import grpc

from stardag.tracking.connection.credential import CredentialError
from stardag.tracking.connection.rpc import RpcFailure
from stardag.tracking.connection.tls import TlsError

if TYPE_CHECKING:
    from stardag.tracking.connection.meaning import Cause


class Fault(Enum):
    """Where the fault of a failed delivery lies."""

    SERVER = auto()
    """The server can't be reached or can't serve; every stream has the same trouble."""
    SILENCE = auto()
    """What takes connections there does not answer as a server does; likewise."""
    UNKNOWN = auto()
    """The call broke, and what the server said, if anything, is lost; the next may tell."""
    CREDENTIAL = auto()
    """The server does not accept the credential, or it can't be read; likewise."""
    TRUST = auto()
    """Server and client can't prove by TLS who they are; likewise."""
    POSITION = auto()
    """Sender and server disagree about how far the stream is; opening it again settles it."""
    SUPERSEDED = auto()
    """Another sender has the stream, which is not ours to deliver any more."""
    STREAM = auto()
    """The server will not take this stream; the others are not concerned."""


class Verdict(NamedTuple):
    """What to make of a failure."""

    fault: Fault
    message: str
    retry_after_s: float = 0.0
    """Seconds the server asks to wait."""
    answered: bool = False
    """Whether it was a Stardag server that said no, rather than nobody."""


_CODES = {
    grpc.StatusCode.UNAUTHENTICATED: Fault.CREDENTIAL,
    grpc.StatusCode.PERMISSION_DENIED: Fault.CREDENTIAL,
    grpc.StatusCode.OUT_OF_RANGE: Fault.POSITION,
    grpc.StatusCode.ABORTED: Fault.STREAM,
    grpc.StatusCode.INVALID_ARGUMENT: Fault.STREAM,
}

_CAUSES: dict[Cause, Fault] = {"tls": Fault.TRUST, "silence": Fault.SILENCE}
_TOO_LARGE = {"MESSAGE_TOO_LARGE", "ASSET_TOO_LARGE"}


def judge(error: Exception) -> Verdict:
    """Return what `error`, raised by `uplink.publish`, means."""
    if isinstance(error, RpcFailure):
        fault = _CODES.get(error.code, Fault.SERVER)
        if error.cause is not None:
            fault = _CAUSES[error.cause]
        if error.code is grpc.StatusCode.INTERNAL and not error.reason:
            # grpc puts this in the place of the answer to a call that had not yet written
            fault = Fault.UNKNOWN
        if error.reason == "STREAM_SUPERSEDED":
            fault = Fault.SUPERSEDED
        if error.reason in _TOO_LARGE:  # sending it again as it is does not help
            fault = Fault.STREAM
        return Verdict(fault, str(error), error.retry_after_s, answered=bool(error.reason))
    if isinstance(error, TimeoutError):
        return Verdict(Fault.SILENCE, "it does not answer")
    if isinstance(error, CredentialError):
        return Verdict(Fault.CREDENTIAL, str(error))
    if isinstance(error, TlsError):
        return Verdict(Fault.TRUST, str(error))
    return Verdict(Fault.STREAM, str(error))
