"""How attempts at a task are made: how often, how long, with what. No part of an id."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, TypedDict, cast

from stardag._errors import TaskDefinitionError

if TYPE_CHECKING:
    from fractions import Fraction


class ExecutionOptions(TypedDict, total=False):
    """The keywords that say how attempts are made; see `Execution`."""

    retries: int
    retry_on: type[BaseException] | tuple[type[BaseException], ...]
    retry_backoff: float
    timeout: float | None
    resources: Mapping[str, float]
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Execution:
    """What a task type asks of whoever runs it.

    Given as keywords of the class statement or of `@task`: `retries=3`. A subclass has those of
    its base, but for those it gives itself.
    """

    retries: int = 0
    """Attempts after the first, if one fails."""
    retry_on: tuple[type[BaseException], ...] = (Exception,)
    """The types of exceptions after which another attempt is made."""
    retry_backoff: float = 1.0
    """Most seconds before the second attempt, doubled for each one after it, up to `MAX_BACKOFF_S`.

    How long the wait is within that bound, is left to chance: see "Exponential Backoff And
    Jitter", AWS Architecture Blog, 2015.
    """
    timeout: float | None = None
    """Most seconds an attempt may run, from its start, or its resumption, to its next yield.

    An attempt in a process is ended by force, one in an event loop is cancelled, and one in a
    thread is asked to stop: see `checkpoint`.
    """
    resources: Mapping[str, float] = field(default_factory=dict[str, float])
    """How much an attempt takes of what there is a limited amount of, by name."""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    """Free text by name, for executors and people."""

    def __post_init__(self) -> None:
        """Raise `TaskDefinitionError` for a value that can't be used."""
        given: Any = self.retry_on
        if isinstance(given, type):
            object.__setattr__(self, "retry_on", (given,))
        for name, problem in self._problems():
            raise TaskDefinitionError(f"{name}={getattr(self, name)!r}: {problem}")

    def _problems(self) -> Iterator[tuple[str, str]]:
        if not _is_number(self.retries) or self.retries < 0 or self.retries % 1:
            yield "retries", "give the number of further attempts, 0 or more"
        if not all(map(_is_exception_type, self.retry_on)):
            yield "retry_on", "give an exception type, or a tuple of them"
        if not _is_number(self.retry_backoff) or self.retry_backoff < 0:
            yield "retry_backoff", "give seconds, 0 or more"
        if self.timeout is not None and (not _is_number(self.timeout) or self.timeout <= 0):
            yield "timeout", "give seconds, more than 0, or None"
        if not _is_mapping(self.resources, lambda v: _is_number(v) and v >= 0):
            yield "resources", "give an amount, 0 or more, by name"
        if not _is_mapping(self.labels, lambda v: isinstance(v, str)):
            yield "labels", "give a text by name"

    def needs(self) -> tuple[tuple[str, Fraction], ...]:
        """Return the resources that an attempt takes something of, as exact amounts."""
        return exact(self.resources)

    def with_keywords(self, keywords: Mapping[str, Any], where: str) -> Execution:
        """Return this with what is given anew. Raises `TaskDefinitionError`, naming `where`."""
        if unknown := keywords.keys() - _NAMES:
            raise TaskDefinitionError(
                f"{where}: there is no option {sorted(unknown)[0]!r}; there are "
                f"{', '.join(sorted(_NAMES))}, and those of names"
            )
        try:
            return replace(self, **keywords)
        except (TaskDefinitionError, TypeError) as error:
            raise TaskDefinitionError(f"{where}: {error}") from None


def exact(amounts: Mapping[str, float]) -> tuple[tuple[str, Fraction], ...]:
    """Return amounts as the fractions that they are written as: three tenths make 0.3."""
    if not amounts:
        return ()
    from fractions import Fraction  # not before: most tasks need nothing

    return tuple((n, Fraction(str(v))) for n, v in sorted(amounts.items()))


MAX_BACKOFF_S = 60.0

_NAMES = frozenset(f.name for f in fields(Execution))


def _is_exception_type(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


def _is_mapping(value: Any, is_fit: Callable[[Any], bool]) -> bool:
    if not isinstance(value, Mapping):
        return False
    items = cast("Mapping[Any, Any]", value).items()
    return all(isinstance(k, str) and is_fit(v) for k, v in items)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and type(value) is not bool and not math.isnan(value)
