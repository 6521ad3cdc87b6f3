"""Every way in which a call is refused, as exceptions.

They are independent of the transport: each has the reason of the contract
(`error_reason.proto`), a message for people, and everything variable of that
message in `metadata`, for programs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from stardag.v1 import error_reason_pb2 as reasons


@dataclass(frozen=True)
class Violation:
    """A field that breaks a rule: its path in the request, and the rule for people."""

    field: str
    rule: str


class Refusal(Exception):
    """A call that is refused for a reason of the contract."""

    reason: ClassVar[reasons.ErrorReason.ValueType]
    retry_after: ClassVar[float | None] = None
    """Seconds after which the same call is worth trying again; None for never."""

    def __init__(
        self,
        message: str,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[Violation] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)


class RequestInvalid(Refusal):
    """The bytes do not parse, or fields break rules of the contract."""

    reason = reasons.ERROR_REASON_REQUEST_INVALID

    @classmethod
    def of(cls, field: str, rule: str) -> "RequestInvalid":
        """Return the refusal of one field."""
        return cls(f"{field}: {rule}", violations=[Violation(field, rule)])


class PageTokenInvalid(Refusal):
    """The page token is damaged or belongs to another query."""

    reason = reasons.ERROR_REASON_PAGE_TOKEN_INVALID

    def __init__(self) -> None:
        super().__init__("the page token is damaged or belongs to another query")


class CursorInvalid(Refusal):
    """The cursor is damaged or belongs to another watch."""

    reason = reasons.ERROR_REASON_CURSOR_INVALID

    def __init__(self) -> None:
        super().__init__("the cursor is damaged or belongs to another watch")


class StreamProtocol(Refusal):
    """A message on a stream came at the wrong place."""

    reason = reasons.ERROR_REASON_STREAM_PROTOCOL


class CredentialMissing(Refusal):
    """The call has no credential."""

    reason = reasons.ERROR_REASON_CREDENTIAL_MISSING

    def __init__(self) -> None:
        super().__init__("no credential: send metadata `authorization: Bearer <token>`")


class CredentialInvalid(Refusal):
    """The credential is unknown, expired or revoked; which is not told."""

    reason = reasons.ERROR_REASON_CREDENTIAL_INVALID

    def __init__(self) -> None:
        super().__init__("the credential is not valid")


class TaskNotFound(Refusal):
    """The task is not known."""

    reason = reasons.ERROR_REASON_TASK_NOT_FOUND

    def __init__(self, task: UUID) -> None:
        super().__init__(f"no task {task}", {"taskId": str(task)})


class BuildNotFound(Refusal):
    """The build is not known."""

    reason = reasons.ERROR_REASON_BUILD_NOT_FOUND

    def __init__(self, build: UUID) -> None:
        super().__init__(f"no build {build}", {"buildId": str(build)})


class SequenceGap(Refusal):
    """A batch begins after the next expected sequence number."""

    reason = reasons.ERROR_REASON_SEQUENCE_GAP

    def __init__(self, expected: int, received: int) -> None:
        super().__init__(
            f"expected sequence number {expected}, received {received}",
            {"expectedSequence": str(expected), "receivedSequence": str(received)},
        )


class StreamSuperseded(Refusal):
    """The stream was opened on another connection."""

    reason = reasons.ERROR_REASON_STREAM_SUPERSEDED

    def __init__(self, stream: UUID) -> None:
        super().__init__(
            f"stream {stream} was opened on another connection", {"streamId": str(stream)}
        )


class MessageTooLarge(Refusal):
    """More than the limit in one message."""

    reason = reasons.ERROR_REASON_MESSAGE_TOO_LARGE

    def __init__(self, what: str, limit: int, actual: int) -> None:
        super().__init__(
            f"{actual} {what} in one message; at most {limit}",
            {"limit": str(limit), "actual": str(actual)},
        )


class ServerDraining(Refusal):
    """The server is stopping; another replica, or its next start, will answer."""

    reason = reasons.ERROR_REASON_SERVER_DRAINING
    retry_after = 1.0

    def __init__(self) -> None:
        super().__init__("the server is stopping")


class StorageUnavailable(Refusal):
    """The database does not answer."""

    reason = reasons.ERROR_REASON_STORAGE_UNAVAILABLE
    retry_after = 1.0

    def __init__(self) -> None:
        super().__init__("the database does not answer")
