"""Who is calling, as the credential says."""

from contextvars import ContextVar
from dataclasses import dataclass

from stardag.v1.auth_pb2 import Scope


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller that was let in."""

    workspace: int
    """Key of the workspace it belongs to; it sees nothing else."""
    workspace_name: str
    name: str
    """Such as "key:<key id>", "user:<subject>", "certificate:<name>" or "local"."""
    scopes: frozenset[Scope.ValueType]
    """What it may do, those scopes included that others include."""
    expire_time: int = 0
    """When the credential stops working, in microseconds since the Unix epoch; 0 for never."""


_current: ContextVar[Principal] = ContextVar("principal")


def let_in(principal: Principal) -> None:
    """Make this the caller of the call that is being served."""
    _current.set(principal)


def callers_workspace() -> int | None:
    """Return the key of the caller's workspace; None where no call is being served."""
    principal = _current.get(None)
    return None if principal is None else principal.workspace


def caller() -> Principal:
    """Return the caller of the call that is being served."""
    return _current.get()
