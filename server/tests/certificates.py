"""A certificate authority of the test's own, and what it signs."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Authority:
    """A CA; its own certificate is in `file`."""

    file: Path
    key: ec.EllipticCurvePrivateKey
    name: x509.Name

    @classmethod
    def make(cls, folder: Path) -> Self:
        """Make a CA that keeps its files in a new folder."""
        folder.mkdir()
        key, name = ec.generate_private_key(ec.SECP256R1()), _name("Test CA")
        made = _builder(name, name, key).add_extension(x509.BasicConstraints(True, None), True)
        (folder / "ca.pem").write_bytes(_pem(made.sign(key, hashes.SHA256())))
        return cls(folder / "ca.pem", key, name)

    def issue(
        self,
        name: str,
        host: str | None = None,
        uri: str | None = None,
        ends_in: datetime.timedelta = _DAY,
    ) -> tuple[Path, Path]:
        """Sign a certificate for 127.0.0.1, or another host; return the files of it and its key.

        Files of the same name are replaced.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        names: list[x509.GeneralName] = [x509.DNSName(host) if host else loopback]
        if uri:
            names.append(x509.UniformResourceIdentifier(uri))
        signed = _builder(_name(name), self.name, key, ends_in).add_extension(
            x509.SubjectAlternativeName(names), False
        )
        files = self.file.with_name(f"{name}.pem"), self.file.with_name(f"{name}.key")
        files[0].write_bytes(_pem(signed.sign(self.key, hashes.SHA256())))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return files


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    ends_in: datetime.timedelta = _DAY,
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder(issuer, subject, key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 2 * _DAY)
        .not_valid_after(now + ends_in)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
