"""Who is calling, as the credential says."""

from contextvars import ContextVar
from dataclasses import dataclass

from stardag.v1.auth_pb2 import SCOPE_OPERATOR, Scope


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller that was let in."""

    workspace: int
    """Key of the workspace it belongs to; it sees nothing else."""
    scopes: frozenset[Scope.ValueType] = frozenset({SCOPE_OPERATOR})
    """What it may do. The token of a local server may do everything."""


_current: ContextVar[Principal] = ContextVar("principal")


def let_in(principal: Principal) -> None:
    """Make this the caller of the call that is being served."""
    _current.set(principal)


def caller() -> Principal:
    """Return the caller of the call that is being served."""
    return _current.get()
