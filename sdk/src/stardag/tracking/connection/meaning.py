"""What it means when a connection of grpc fails, in words that say what to do; pure, no I/O."""

from __future__ import annotations

from typing import Literal, NamedTuple

Cause = Literal["tls", "silence"]
"""`tls`: the two can't prove who they are; `silence`: who listens there does not answer as a
server does."""


class Meaning(NamedTuple):
    """What went wrong, and what to do."""

    text: str
    cause: Cause | None = None
    """Why there is no connection, where that is certain and matters."""


# what grpc says -> what it means; the first that fits
_MEANINGS = {
    "Stream removed": Meaning("the connection broke"),
    "certificate has expired": Meaning(
        "the server's certificate has expired; it needs a new one", "tls"
    ),
    "Hostname Verification Check failed": Meaning(
        "the server's certificate is for another host; let the address be a name that it has", "tls"
    ),
    "WRONG_VERSION_NUMBER": Meaning("the server does not speak TLS at this address", "tls"),
    "handshake failed": Meaning(
        "the server's certificate is of no CA that is trusted here; set STARDAG_CA_FILE to the "
        "file of the CA",
        "tls",
    ),
    "Socket closed": Meaning(
        "the server closed the connection at once, as one does that speaks TLS to a client that "
        "does not, or that wants a certificate (STARDAG_CLIENT_CERTIFICATE)"
    ),
    "Failed parsing HTTP/2": Meaning("what listens there does not speak gRPC", "silence"),
    "before receiving SETTINGS": Meaning("it accepts connections but does not answer", "silence"),
    "Connection refused": Meaning("nothing listens there"),
    "errors resolving": Meaning("the name of its host can't be resolved"),
}


def meaning(message: str) -> Meaning | None:
    """Return what grpc's message means, if it is about a connection, and is known."""
    if not message.startswith(("failed to connect", "errors resolving", "Stream removed")):
        return None
    return next((meaning for said, meaning in _MEANINGS.items() if said in message), None)
