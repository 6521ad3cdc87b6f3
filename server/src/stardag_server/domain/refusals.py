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
    retry_after: float | None = None
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


class FixedRefusal(Refusal):
    """A refusal that always says the same."""

    text: ClassVar[str]

    def __init__(self) -> None:
        super().__init__(self.text)


class RequestInvalid(Refusal):
    """The bytes do not parse, or fields break rules of the contract."""

    reason = reasons.ERROR_REASON_REQUEST_INVALID

    @classmethod
    def of(cls, field: str, rule: str) -> "RequestInvalid":
        """Return the refusal of one field."""
        return cls(f"{field}: {rule}", violations=[Violation(field, rule)])


class PageTokenInvalid(FixedRefusal):
    """The page token is damaged or belongs to another query."""

    reason = reasons.ERROR_REASON_PAGE_TOKEN_INVALID
    text = "the page token is damaged or belongs to another query"


class CursorInvalid(FixedRefusal):
    """The cursor is damaged or belongs to another watch."""

    reason = reasons.ERROR_REASON_CURSOR_INVALID
    text = "the cursor is damaged or belongs to another watch"


class FilterInvalid(Refusal):
    """The filter does not parse, or asks for what there is not."""

    reason = reasons.ERROR_REASON_FILTER_INVALID

    def __init__(self, message: str, position: int, expected: str = "") -> None:
        super().__init__(
            f"filter, at {position}: {message}", {"position": str(position), "expected": expected}
        )


class OrderInvalid(Refusal):
    """The list can't be ordered by that field."""

    reason = reasons.ERROR_REASON_ORDER_INVALID

    def __init__(self, field: str, allowed: Sequence[str]) -> None:
        names = ", ".join(allowed)
        super().__init__(
            f"can't order by {field!r}; by one of {names}", {"field": field, "allowed": names}
        )


class CursorExpired(FixedRefusal):
    """Events after the cursor are no longer kept."""

    reason = reasons.ERROR_REASON_CURSOR_EXPIRED
    text = "events after the cursor are no longer kept: watch without a cursor"


class TaskIdMismatch(Refusal):
    """A definition does not hash to its id."""

    reason = reasons.ERROR_REASON_TASK_ID_MISMATCH

    def __init__(self, task: UUID, computed: UUID, index: int) -> None:
        super().__init__(
            f"tasks[{index}]: identity_json hashes to {computed}, not to {task}",
            {"taskId": str(task), "computedTaskId": str(computed), "index": str(index)},
        )


class AssetInvalid(Refusal):
    """The content of an asset is not what its kind says."""

    reason = reasons.ERROR_REASON_ASSET_INVALID

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"asset {name!r}: {problem}", {"name": name})


class DigestMismatch(Refusal):
    """The content does not have the digest that was given."""

    reason = reasons.ERROR_REASON_DIGEST_MISMATCH

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(
            f"the content has SHA-256 {actual}, not {expected}",
            {"expectedSha256": expected, "actualSha256": actual},
        )


class ArchiveInvalid(Refusal):
    """An archive is not whole, out of order, or of an unknown format."""

    reason = reasons.ERROR_REASON_ARCHIVE_INVALID

    def __init__(self, problem: str, part: int) -> None:
        super().__init__(f"archive, part {part}: {problem}", {"part": str(part)})


class StreamProtocol(Refusal):
    """A message on a stream came at the wrong place."""

    reason = reasons.ERROR_REASON_STREAM_PROTOCOL


class CredentialMissing(FixedRefusal):
    """The call has no credential."""

    reason = reasons.ERROR_REASON_CREDENTIAL_MISSING
    text = "no credential: send metadata `authorization: Bearer <token>`"


class CredentialInvalid(FixedRefusal):
    """The credential is unknown, expired or revoked; which is not told."""

    reason = reasons.ERROR_REASON_CREDENTIAL_INVALID
    text = "the credential is not valid"


class ScopeMissing(Refusal):
    """The credential has not the scope that the method wants."""

    reason = reasons.ERROR_REASON_SCOPE_MISSING

    def __init__(self, scope: str) -> None:
        super().__init__(f"this needs a credential with scope {scope}", {"requiredScope": scope})


class NotFound(Refusal):
    """The workspace has nothing of that id or name."""

    noun: ClassVar[str]
    key: ClassVar[str]
    """What the id or name is called in the metadata."""

    def __init__(self, id: UUID | str) -> None:
        super().__init__(f"no {self.noun} {id}", {self.key: str(id)})


class WorkspaceNotFound(NotFound):
    """The server has no workspace of that name."""

    reason, noun, key = reasons.ERROR_REASON_WORKSPACE_NOT_FOUND, "workspace", "workspace"


class TaskNotFound(NotFound):
    """The task is not known."""

    reason, noun, key = reasons.ERROR_REASON_TASK_NOT_FOUND, "task", "taskId"


class BuildNotFound(NotFound):
    """The build is not known."""

    reason, noun, key = reasons.ERROR_REASON_BUILD_NOT_FOUND, "build", "buildId"


class LimitNotFound(NotFound):
    """There is no concurrency limit of that name."""

    reason, noun, key = reasons.ERROR_REASON_LIMIT_NOT_FOUND, "concurrency limit", "limit"


class KeyNotFound(NotFound):
    """There is no key of that id."""

    reason, noun, key = reasons.ERROR_REASON_KEY_NOT_FOUND, "key", "keyId"


class AssetNotFound(Refusal):
    """The task has no such asset, or not that revision of it; 0 stands for the latest."""

    reason = reasons.ERROR_REASON_ASSET_NOT_FOUND

    def __init__(self, task: UUID, name: str, revision: int) -> None:
        what = f"revision {revision} of asset" if revision else "asset"
        super().__init__(
            f"no {what} {name!r} of task {task}",
            {"taskId": str(task), "name": name, "revision": str(revision)},
        )


class TaskConflict(Refusal):
    """A task that is registered is known with another definition."""

    reason = reasons.ERROR_REASON_TASK_CONFLICT

    def __init__(self, task: UUID) -> None:
        super().__init__(
            f"{task} is known with another namespace, name or version", {"taskId": str(task)}
        )


class BuildExists(Refusal):
    """The workspace has the build that should be imported."""

    reason = reasons.ERROR_REASON_BUILD_EXISTS

    def __init__(self, build: UUID) -> None:
        super().__init__(
            f"build {build} is here already; delete it first to import it anew",
            {"buildId": str(build)},
        )


class WorkspaceExists(Refusal):
    """There is a workspace of that name with other content."""

    reason = reasons.ERROR_REASON_WORKSPACE_EXISTS

    def __init__(self, name: str) -> None:
        super().__init__(f"workspace {name} exists and is not like this one", {"workspace": name})


class LimitInUse(Refusal):
    """Leases take up slots of the concurrency limit that should be deleted."""

    reason = reasons.ERROR_REASON_LIMIT_IN_USE

    def __init__(self, limit: str, used_slots: int) -> None:
        super().__init__(
            f"concurrency limit {limit}: {used_slots} slots are in use",
            {"limit": limit, "usedSlots": str(used_slots)},
        )


class EtagMismatch(Refusal):
    """What should be changed has changed since it was read."""

    reason = reasons.ERROR_REASON_ETAG_MISMATCH

    def __init__(self, etag: str) -> None:
        super().__init__("changed since it was read: read it again", {"etag": etag})


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


class AssetTooLarge(Refusal):
    """The content of an asset is above the limit."""

    reason = reasons.ERROR_REASON_ASSET_TOO_LARGE

    def __init__(self, limit: int) -> None:
        super().__init__(f"an asset has at most {limit} bytes", {"limit": str(limit)})


class RateLimited(Refusal):
    """More a second than the workspace may have."""

    reason = reasons.ERROR_REASON_RATE_LIMITED

    def __init__(self, limit: str, per_second: int, retry_after: float) -> None:
        super().__init__(
            f"at most {per_second} {limit} a second",
            {"limit": limit, "perSecond": str(per_second)},
        )
        self.retry_after = retry_after


class QuotaExceeded(Refusal):
    """The workspace has as much of something as it may have."""

    reason = reasons.ERROR_REASON_QUOTA_EXCEEDED

    def __init__(self, quota: str, limit: int) -> None:
        super().__init__(
            f"the workspace may have {limit} {quota}: delete some, or ask who runs the server",
            {"quota": quota, "limit": str(limit)},
        )


class TooManyStreams(Refusal):
    """Too many streams or watches are open."""

    reason = reasons.ERROR_REASON_TOO_MANY_STREAMS
    retry_after = 5.0

    def __init__(self, limit: int) -> None:
        super().__init__(f"at most {limit} may be open at once", {"limit": str(limit)})


class ServerDraining(FixedRefusal):
    """The server is stopping; another replica, or its next start, will answer."""

    reason = reasons.ERROR_REASON_SERVER_DRAINING
    retry_after = 1.0
    text = "the server is stopping"


class StorageUnavailable(FixedRefusal):
    """The database does not answer."""

    reason = reasons.ERROR_REASON_STORAGE_UNAVAILABLE
    retry_after = 1.0
    text = "the database does not answer"


class ServerOverloaded(FixedRefusal):
    """The server has more to do than it can."""

    reason = reasons.ERROR_REASON_SERVER_OVERLOADED
    retry_after = 1.0
    text = "the server has more to do than it can"


class NotImplementedHere(Refusal):
    """The contract has this method or option, and this server does not have it."""

    reason = reasons.ERROR_REASON_NOT_IMPLEMENTED

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}: in the contract, and not in this version of the server", {"what": what}
        )
