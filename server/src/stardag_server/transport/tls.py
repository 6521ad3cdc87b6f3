"""TLS: the files of the certificate, checked before anything listens."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc


class CertificateUnusable(Exception):
    """A file of the certificate can't be used; the message names it and says what would do."""


@dataclass(frozen=True)
class TlsFiles:
    """The server's certificate with its chain, the key, and the CA of clients if they need one."""

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def credentials(self) -> grpc.ServerCredentials:
        """Return what a port is opened with.

        With a CA of clients, only those with a certificate of it get a connection.
        Raises CertificateUnusable if a file is missing, unreadable or does not fit.
        """
        certificate = _read(self.certificate, "tls_certificate")
        key = _read(self.key, "tls_key")
        ca = None if self.client_ca is None else _read(self.client_ca, "tls_client_ca")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            # The empty password: without one, a key that has one would be asked for at a terminal.
            context.load_cert_chain(self.certificate, self.key, password="")
        except ssl.SSLError as error:
            raise CertificateUnusable(
                f"tls_certificate {self.certificate} and tls_key {self.key}: {error.reason}; both"
                " must be PEM, the certificate of the server first, the key its own and"
                " without a password"
            ) from None
        if ca is not None:
            try:
                context.load_verify_locations(self.client_ca)
            except ssl.SSLError:
                raise CertificateUnusable(
                    f"tls_client_ca {self.client_ca}: holds no certificate in PEM"
                ) from None
        return grpc.ssl_server_credentials(
            [(key, certificate)], root_certificates=ca, require_client_auth=ca is not None
        )


def _read(file: Path, setting: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CertificateUnusable(
            f"{setting} {file}: {error.strerror}; give a PEM file that the server may read"
        ) from None
