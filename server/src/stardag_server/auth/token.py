"""The token of the local server, in a file that only its owner reads.

Loopback alone keeps out neither other users of the machine nor a browser that
was led here by DNS rebinding.
"""

import hmac
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from stardag_server.domain.refusals import CredentialInvalid, CredentialMissing

_SCHEME = "bearer"


def ensure_token(path: Path) -> str:
    """Return the token in the file; make one if there is no such file.

    The file appears with its content and mode 0600, or not at all, and is never
    replaced. Raises OSError if it can be neither read nor made, ValueError if
    it is empty or no text.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            # Unlike a rename, a link does not replace what another server made meanwhile.
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    try:
        token = path.read_text("utf-8").strip()
    except UnicodeDecodeError as error:
        raise ValueError(f"the token file {path} is no text: {error}") from error
    if not token:
        raise ValueError(f"the token file {path} is empty: delete it, and a new one is made")
    return token


def check_token(expected: str, authorization: Iterable[str | bytes]) -> None:
    """Check the values of a call's `authorization` metadata.

    Raises CredentialMissing if there is none, CredentialInvalid unless there is
    one and it is `Bearer` with the expected token. Takes the same time whatever
    the token is.
    """
    values = [value.encode() if isinstance(value, str) else value for value in authorization]
    if not values:
        raise CredentialMissing
    scheme, _, token = values[0].partition(b" ")
    matches = hmac.compare_digest(token.strip(), expected.encode())
    if len(values) != 1 or scheme.lower() != _SCHEME.encode() or not matches:
        raise CredentialInvalid
