"""What a call shows of who makes it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Credentials:
    """The metadata of a call, and the names that its connection has proven."""

    authorization: tuple[str | bytes, ...] = ()
    """Values of the metadata `authorization`."""
    certificate_names: tuple[str, ...] = ()
    """Names in the client's certificate, which a CA that the server trusts has signed."""
