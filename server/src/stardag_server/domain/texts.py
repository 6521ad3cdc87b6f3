"""Texts of requests: what a database can hold, and no longer than the contract says."""

from stardag_server.domain import limits
from stardag_server.domain.refusals import RequestInvalid


def checked_text(field: str, text: str, most: int, least: int = 0) -> str:
    """Return the text of a field.

    Raises RequestInvalid unless it has `least` to `most` characters, none of them NUL.
    """
    if not least <= len(text) <= most or "\x00" in text:
        count = f"{least} to {most}" if least else f"at most {most}"
        raise RequestInvalid.of(field, f"must have {count} characters, none NUL")
    return text


def checked_name(field: str, name: str) -> str:
    """Return the name that a field holds. Raises RequestInvalid if it is empty or too long."""
    return checked_text(field, name, limits.MAX_NAME, least=1)
