"""TLS: the files of the certificate, checked before anything listens and when they change."""

from __future__ import annotations

import datetime
import logging
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from stardag_server.settings import Settings

_log = logging.getLogger(__name__)

Mark = tuple[int, int, int] | None


class CertificateUnusable(Exception):
    """A file of the certificate can't be used; the message names it and says what would do."""


@dataclass(frozen=True)
class TlsFiles:
    """The server's certificate with its chain, the key, and the CA of clients if they need one."""

    certificate: Path
    key: Path
    client_ca: Path | None = None

    @classmethod
    def of(cls, loaded: Settings) -> TlsFiles | None:
        """Return the files that the settings name, None if they name none."""
        if loaded.tls_certificate is None or loaded.tls_key is None:
            return None
        return cls(loaded.tls_certificate, loaded.tls_key, loaded.tls_client_ca)

    def credentials(self) -> grpc.ServerCredentials:
        """Return what a port is opened with: each connection gets what the files have by then.

        With a CA of clients, only those with a certificate of it get a connection. Raises
        CertificateUnusable if a file is missing, unreadable or does not fit. Should one become
        so later, the log says why, and what was there before goes on to be used.
        """
        renewal = _Renewal(self)
        # May be None for no change, which the types do not know.
        fetch: Any = renewal.fetch
        return grpc.dynamic_ssl_server_credentials(
            renewal.first, fetch, require_client_authentication=self.client_ca is not None
        )

    def load(self) -> grpc.ServerCertificateConfiguration:
        """Return what the files have now. Raises CertificateUnusable."""
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
        self._check_time(certificate)
        return grpc.ssl_server_certificate_configuration([(key, certificate)], ca)

    def marks(self) -> tuple[Mark, ...]:
        """Return what changes when a file does."""
        return tuple(_mark(file) for file in (self.certificate, self.key, self.client_ca) if file)

    def server_name(self) -> str | None:
        """Return a name that the certificate is for, so that clients take it; None for none."""
        _, names = _read_certificate(self.certificate.read_bytes())
        return next(iter(names), None)

    def _check_time(self, certificate: bytes) -> None:
        until, _ = _read_certificate(certificate)
        if until < datetime.datetime.now(datetime.UTC):
            raise CertificateUnusable(
                f"tls_certificate {self.certificate}: expired on {until:%Y-%m-%d %H:%M} UTC;"
                " no client would take it: put a renewed one in its place"
            )
        _log.info("the certificate %s is good until %s", self.certificate, until.isoformat())


class _Renewal:
    """Takes files that have changed since they were last looked at."""

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        # Before they are read: what changes meanwhile is then seen.
        self._seen = files.marks()
        self.first = files.load()

    def fetch(self) -> grpc.ServerCertificateConfiguration | None:
        """Return what the next connections are to get; None for what the last one got."""
        marks = self._files.marks()
        if marks == self._seen:
            return None
        self._seen = marks
        try:
            return self._files.load()
        except CertificateUnusable as error:
            # Such as a new certificate whose key is still to be written.
            _log.warning("going on with the certificate as it was: %s", error)
            return None


def _read(file: Path, setting: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CertificateUnusable(
            f"{setting} {file}: {error.strerror}; give a PEM file that the server may read"
        ) from None


def _mark(file: Path) -> Mark:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def _read_certificate(pem: bytes) -> tuple[datetime.datetime, list[str]]:
    """Return until when the certificate is good, and the hosts that it is for."""
    # Six megabytes that a server without TLS does not need.
    from cryptography import x509

    certificate = x509.load_pem_x509_certificate(pem)
    until = certificate.not_valid_after_utc
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return until, []
    hosts = [name for name in found.value.get_values_for_type(x509.DNSName) if "*" not in name]
    addresses = found.value.get_values_for_type(x509.IPAddress)
    return until, hosts + [str(address) for address in addresses]
