"""Ids as requests spell them."""

from uuid import UUID

from stardag_server.domain.refusals import RequestInvalid


def parse_id(field: str, text: str) -> UUID:
    """Return the UUID that a request's field spells.

    Raises RequestInvalid naming the field unless it is 36 characters,
    hyphenated; upper case is taken too.
    """
    try:
        parsed = UUID(text)
    except ValueError:
        parsed = None
    if parsed is None or str(parsed) != text.lower():
        raise RequestInvalid.of(field, "must be a hyphenated UUID")
    return parsed
