"""The client's files of TLS."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stardag._errors import ConfigError

if TYPE_CHECKING:
    from stardag.config import ServerConfig


class TlsError(ConfigError):
    """A file of TLS can't be used; the text names it."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The CA of servers, in place of those of the system, and one's own certificate and key."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def read(self) -> tuple[bytes | None, bytes | None, bytes | None]:
        """Return the CA, the key and the certificate, as of now, in the order of grpc.

        Raises `TlsError` if a file is missing, can't be read or does not fit.
        """
        ca = _read("CA file", self.ca)
        key = _read("client key", self.key)
        certificate = _read("client certificate", self.certificate)
        self._check()
        return ca, key, certificate

    def options(self) -> list[str]:
        """Return the options by which a process of ours is told the same."""
        given = {"ca-file": self.ca, "client-certificate": self.certificate, "client-key": self.key}
        return [f"--{name}={file}" for name, file in given.items() if file is not None]

    def _check(self) -> None:
        """Find what grpc would only call a handshaker that can't be made."""
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.ca is not None:
            try:
                context.load_verify_locations(self.ca)
            except ssl.SSLError:
                raise TlsError(f"the CA file {self.ca} holds no certificate in PEM") from None
        if self.certificate is not None:
            try:
                # with no password given, a key that has one is asked for at the terminal
                context.load_cert_chain(self.certificate, self.key, password="")
            except ssl.SSLError as error:
                raise TlsError(
                    f"the client certificate {self.certificate} and the key {self.key} do not fit "
                    f"({error.reason}); both must be PEM, and the key without a password"
                ) from None


def configured_tls(server: ServerConfig) -> TlsFiles:
    """Return the files that are configured. Raises `TlsError` if a certificate has no key."""
    given = (server.client_certificate, server.client_key)
    if any(given) and not all(given):
        missing = "STARDAG_CLIENT_KEY" if given[0] else "STARDAG_CLIENT_CERTIFICATE"
        raise TlsError(f"{missing} is not set; a client certificate and its key go together")
    absolute = [file.absolute() if file else None for file in (server.ca_file, *given)]
    return TlsFiles(*absolute)


def _read(what: str, file: Path | None) -> bytes | None:
    if file is None:
        return None
    try:
        return file.read_bytes()
    except OSError as error:
        raise TlsError(f"the {what} {file} can't be read: {error.strerror}") from None
