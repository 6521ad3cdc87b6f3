"""The order of a list, as requests spell it: one field, and ` desc` for the greatest first."""

from collections.abc import Sequence
from dataclasses import dataclass

from stardag_server.domain.refusals import OrderInvalid


@dataclass(frozen=True, slots=True)
class Order:
    """A field to order by, and whether the greatest comes first."""

    field: str
    descending: bool


def parse_order(text: str, allowed: Sequence[str]) -> Order | None:
    """Return the order asked for; None for the list's own.

    Raises OrderInvalid unless it is by one of the fields allowed.
    """
    if not text.strip():
        return None
    field, *rest = text.split()
    if field not in allowed or rest not in ([], ["desc"]):
        raise OrderInvalid(text[:100], allowed)
    return Order(field, bool(rest))
