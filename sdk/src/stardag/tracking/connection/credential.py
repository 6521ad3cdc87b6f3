"""The credential for a server, where it is read from, and how a process of ours gets it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from stardag._errors import ConfigError
from stardag.tracking.connection.tls import TlsFiles, configured_tls

if TYPE_CHECKING:
    import argparse

    from stardag.config import ServerConfig
    from stardag.tracking.connection.address import Address


TOKEN_VARIABLE = "STARDAG_TOKEN"


class CredentialError(ConfigError):
    """There is a credential, and it can't be had or can't be one; the text names its place."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A token itself, or the file that has it; neither if the server asks for none.

    With it goes what TLS is to show, and to be shown.
    """

    token: str | None = None
    file: Path | None = None
    tls: TlsFiles = field(default_factory=TlsFiles)

    def read(self) -> str | None:
        """Return the token as of now: a file may be renewed at any time.

        None if there is no such file. Raises `CredentialError` if it can't be read, or what
        is there can't be a token.
        """
        if self.token is not None:
            return _checked(self.token, "the token that is configured")
        if self.file is None:
            return None
        try:
            text = self.file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except OSError as error:
            problem = f"the token file {self.file} can't be read: {error.strerror}"
            raise CredentialError(problem) from None
        except UnicodeDecodeError:
            raise CredentialError(f"the token file {self.file} is not a text") from None
        return _checked(text.strip(), f"what the token file {self.file} has") or None

    def remedy(self) -> str:
        """Return what to do where this is not accepted, and where it was looked for."""
        if self.token is not None or self.file is None:
            where = ""
        elif self.file.exists():
            where = f"it is that of the token file {self.file}: "
        else:
            where = f"there is no token file {self.file}: "
        return f"{where}set STARDAG_TOKEN or STARDAG_TOKEN_FILE"

    def options(self) -> list[str]:
        """Return the options by which a process of ours is told the same, but for the token."""
        file = [f"--token-file={self.file}"] if self.file is not None else []
        return file + self.tls.options()

    def __repr__(self) -> str:
        """Name where the token is, never the token."""
        token = "..." if self.token else None
        return f"Credential(token={token}, file={self.file}, tls={self.tls})"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Have a process of ours understand `Credential.options`."""
    for name in ("token-file", "ca-file", "client-certificate", "client-key"):
        parser.add_argument(f"--{name}", type=Path)


def given_credential(options: argparse.Namespace) -> Credential:
    """Return the credential that a process of ours was given, its token by the environment."""
    tls = TlsFiles(options.ca_file, options.client_certificate, options.client_key)
    return Credential(os.environ.get(TOKEN_VARIABLE), options.token_file, tls)


def _checked(token: str, what: str) -> str:
    if not token.isascii() or not token.isprintable():
        raise CredentialError(f"{what} is no token: it has characters that none has")
    return token


def configured_credential(server: ServerConfig, address: Address) -> Credential:
    """Return the credential for `address`.

    Unless one is configured, a server on this machine gets the token that it has written
    itself, and any other none. Raises `TlsError` if a certificate is configured without its key.
    """
    tls = configured_tls(server)
    if server.token is not None:
        return Credential(token=server.token.get_secret_value(), tls=tls)
    if server.token_file is None and address.is_loopback:
        data = platformdirs.user_data_dir("stardag-server", appauthor=False)
        return Credential(file=Path(data) / "token", tls=tls)
    return Credential(file=server.token_file.absolute() if server.token_file else None, tls=tls)
