"""The form of keys, and what the server keeps of them.

A key is `sdk_<key id>_<secret>_<checksum>`. Its id may be shown; its secret has 256 bits, so
that one hash is enough, and a slow one would only stall the server. The checksum tells a
key that was cut or mistyped, and lets scanners recognize one that leaked.
"""

import hmac
import re
import secrets
import zlib
from dataclasses import dataclass, field

_PREFIX = "sdk"
_ID_BYTES = 8
_SECRET_BYTES = 32
_FORM = re.compile(
    rf"{_PREFIX}_([0-9a-f]{{{2 * _ID_BYTES}}})_([0-9a-f]{{{2 * _SECRET_BYTES}}})_([0-9a-f]{{8}})"
)


@dataclass(frozen=True, slots=True)
class KeyText:
    """A key as its owner has it."""

    key_id: str
    secret: str = field(repr=False)

    @classmethod
    def new(cls) -> "KeyText":
        """Return a key that nobody has."""
        return cls(secrets.token_hex(_ID_BYTES), secrets.token_hex(_SECRET_BYTES))

    @classmethod
    def parse(cls, text: str) -> "KeyText | None":
        """Return the key that this text is, None if it is none."""
        found = _FORM.fullmatch(text)
        if found is None or found[3] != _checksum(found[1], found[2]):
            return None
        return cls(found[1], found[2])

    def reveal(self) -> str:
        """Return the text to hand to its owner, once."""
        return f"{_PREFIX}_{self.key_id}_{self.secret}_{_checksum(self.key_id, self.secret)}"

    def hash(self, pepper: str) -> bytes:
        """Return what the server keeps: HMAC-SHA256 with a pepper that is not in the database."""
        return hmac.digest(pepper.encode(), f"{self.key_id}_{self.secret}".encode(), "sha256")


def _checksum(key_id: str, secret: str) -> str:
    return f"{zlib.crc32(f'{_PREFIX}_{key_id}_{secret}'.encode()):08x}"
