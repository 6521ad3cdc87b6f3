"""Where a server is, and whether a credential may go there."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from stardag._errors import ConfigError

if TYPE_CHECKING:
    from stardag.tracking.connection.credential import Credential

DEFAULT_PORT = 7465


@dataclass(frozen=True, slots=True)
class Address:
    """A server's host and port, and whether the way there is encrypted."""

    host: str
    port: int
    tls: bool

    @property
    def target(self) -> str:
        """The address as sockets and grpc take it, `host:port`."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine itself."""
        return _is_loopback(self.host)

    @property
    def slug(self) -> str:
        """The address as the name of a directory; another address has another one."""
        return re.sub(r"[^\w.-]", "_", self.target) + ("+tls" if self.tls else "")

    def require_safe_for(self, credential: Credential) -> None:
        """Raise `ConfigError` if `credential` would be readable on its way."""
        if (credential.token or credential.file) and not self.tls and not self.is_loopback:
            raise ConfigError(
                f"the token would go to {self.target} unencrypted; write the server's address "
                f"as https://{self.target}, or without http://"
            )

    @property
    def url(self) -> str:
        """The address as `parse_address` reads it, whatever its defaults."""
        return f"{'https' if self.tls else 'http'}://{self.target}"

    def __str__(self) -> str:
        """Return the address as a user writes it."""
        return f"https://{self.target}" if self.tls else self.target


def parse_address(text: str) -> Address:
    """Read `host`, `host:port`, `http://host:port` or `https://host:port`.

    Without a scheme, loopback is plaintext and everything else is TLS. The port is 7465
    unless given, with https:// 443. Raises `ConfigError` naming what is wrong.
    """
    scheme, separator, _ = text.partition("://")
    if not separator:
        scheme = ""
    elif scheme not in ("http", "https"):
        raise ConfigError(f"the server's address {text!r} has the scheme {scheme!r}; use https://")
    try:
        parts = urlsplit(text if scheme else f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"the server's address {text!r} is wrong: {error}") from None
    if not host or port == 0 or parts.path.strip("/") or parts.query or parts.username is not None:
        raise ConfigError(f"the server's address {text!r} is not of the form host:port")
    tls = scheme == "https" or (not scheme and not _is_loopback(host))
    return Address(host, port or (443 if scheme == "https" else DEFAULT_PORT), tls)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
