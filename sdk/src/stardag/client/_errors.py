"""What a call can fail with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stardag._errors import StardagError

if TYPE_CHECKING:
    from stardag.tracking.connection import rpc


class ServerError(StardagError):
    """The server refused a call or could not serve it.

    `detail` is what is wrong, without what to do. `code` is the gRPC status, `reason` the name of
    an `ErrorReason` of the contract without its prefix, empty if it was not the server that spoke.
    `retry_after_s` is after how many seconds the same call is worth trying again; 0 if the server
    does not say so.
    """

    def __init__(self, message: str, failure: rpc.RpcFailure) -> None:
        """Make the error for a call that failed with `failure`."""
        super().__init__(message)
        self.detail = str(failure)
        self.code = failure.code
        self.reason = failure.reason
        self.retry_after_s = failure.retry_after_s


class NotFoundError(ServerError):
    """The server knows nothing by that id."""


class UnauthenticatedError(ServerError):
    """The server does not accept the credential, or wants one and got none."""


class UnreachableError(ServerError):
    """No server answers at the address, or not in time."""
