"""The way to a server, and the credential that each call has."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc

DEFAULT_PORT = 7465
HTTPS_PORT = 443

Metadata = tuple[tuple[str, str], ...]

# With this, grpc itself tries a call again that no server was there for. Streams it leaves to those
# who know where to go on, because it does not repeat a call that was answered in part.
_RETRIES: dict[str, Any] = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.2s",
                "maxBackoff": "3s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}
_OPTIONS = [("grpc.service_config", json.dumps(_RETRIES))]


def connect(server: str, ca_file: str | None) -> grpc.Channel:
    """Return a channel to a server. Raises ValueError if the address is wrong.

    With TLS, the server is trusted by the authorities in `ca_file`, or those of the system.
    """
    host_and_port, tls = parse_address(server)
    if not tls:
        return grpc.insecure_channel(host_and_port, _OPTIONS)
    authorities = Path(ca_file).read_bytes() if ca_file else None
    return grpc.secure_channel(host_and_port, grpc.ssl_channel_credentials(authorities), _OPTIONS)


def bearer(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


def parse_address(text: str) -> tuple[str, bool]:
    """Return `host:port`, and whether the way there is encrypted.

    Without a scheme, this machine is called in plain text, and any other by TLS. Plain text to
    another machine would show the token to the network, and is refused.
    """
    scheme, separator, _ = text.partition("://")
    parts = urlsplit(text if separator else f"//{text}")
    if not separator:
        scheme = "http" if _is_loopback(parts.hostname) else "https"
    if scheme not in ("http", "https"):
        raise ValueError(f"STARDAG_SERVER has the scheme {scheme!r}; use https://")
    if not parts.hostname or parts.path.strip("/"):
        raise ValueError(f"STARDAG_SERVER is {text!r}, and not of the form https://host:port")
    port = parts.port or (HTTPS_PORT if separator and scheme == "https" else DEFAULT_PORT)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError(f"the token would go to {host}:{port} unencrypted; use https://")
    return f"{host}:{port}", scheme == "https"


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
