"""The credential for a server, and where it is read from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from stardag._errors import ConfigError

if TYPE_CHECKING:
    from stardag.config import ServerConfig
    from stardag.tracking.address import Address


class CredentialError(ConfigError):
    """There is a credential, and it can't be had or can't be one; the text names its place."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A token itself, or the file that has it; neither if the server asks for none."""

    token: str | None = None
    file: Path | None = None

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

    def __repr__(self) -> str:
        """Name where the token is, never the token."""
        return f"Credential(token={'...' if self.token else None}, file={self.file})"


def _checked(token: str, what: str) -> str:
    if not token.isascii() or not token.isprintable():
        raise CredentialError(f"{what} is no token: it has characters that none has")
    return token


def configured_credential(server: ServerConfig, address: Address) -> Credential:
    """Return the credential for `address`.

    Unless one is configured, a server on this machine gets the token that it has written
    itself, and any other none.
    """
    if server.token is not None:
        return Credential(token=server.token.get_secret_value())
    if server.token_file is None and address.is_loopback:
        data = platformdirs.user_data_dir("stardag-server", appauthor=False)
        return Credential(file=Path(data) / "token")
    return Credential(file=server.token_file.absolute() if server.token_file else None)
