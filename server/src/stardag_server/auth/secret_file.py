"""Secrets in files that only their owner reads: the local token, and the pepper of keys.

The token is there because loopback alone keeps out neither other users of the machine nor a
browser that was led here by DNS rebinding.
"""

import os
import secrets
from pathlib import Path


def ensure_secret(path: Path) -> str:
    """Return the secret in the file; make one of 256 bits if there is no such file.

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
        raise ValueError(f"the file {path} is no text: {error}") from error
    if not token:
        raise ValueError(f"the file {path} is empty: delete it, and a new secret is made")
    return token
