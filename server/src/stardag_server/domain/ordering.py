"""The order of a list, as requests spell it: one field, and ` desc` for the greatest first."""

from collections.abc import Sequence
from dataclasses import dataclass

from stardag_server.domain.filter_fields import PARAMS, Step
from stardag_server.domain.filters import parse_field
from stardag_server.domain.refusals import FilterInvalid, OrderInvalid

BY_PARAMETER = "params.<name>"
"""Among the fields allowed, stands for each parameter, and for what is at a path within one."""


@dataclass(frozen=True, slots=True)
class Order:
    """A field to order by, and whether the greatest comes first."""

    field: str
    descending: bool
    path: tuple[Step, ...] = ()
    """For BY_PARAMETER: the path to the value."""


def parse_order(text: str, allowed: Sequence[str]) -> Order | None:
    """Return the order asked for; None for the list's own.

    Raises OrderInvalid unless it is by one of the fields allowed.
    """
    words = text.split()
    if not words:
        return None
    descending = len(words) > 1 and words[-1] == "desc"
    field = text.rstrip().removesuffix("desc").strip() if descending else text.strip()
    if field in allowed and field != BY_PARAMETER:
        return Order(field, descending)
    path = _parameter(field) if BY_PARAMETER in allowed else ()
    if not path:
        raise OrderInvalid(text[:100], allowed)
    return Order(BY_PARAMETER, descending, path)


def _parameter(field: str) -> tuple[Step, ...]:
    """Return the path to the parameter that is named; empty if none is."""
    try:
        return parse_field(field, {"params": PARAMS})[1]
    except FilterInvalid:
        return ()
