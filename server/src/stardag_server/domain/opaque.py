"""Tokens that clients hand back as they got them: page tokens and cursors.

A token says where a reader is, bound to what is read: it is refused when it was
damaged, or comes with another request. It is no secret and grants nothing.
"""

import base64
import hashlib
import struct
from collections.abc import Sequence

_CHECKSUM = 8


def seal(binding: bytes, place: Sequence[int]) -> str:
    """Return a token for a place, given as integers, in what `binding` names."""
    body = struct.pack(f">{len(place)}q", *place)
    return base64.urlsafe_b64encode(body + _checksum(binding, body)).rstrip(b"=").decode()


def unseal(binding: bytes, token: str, count: int) -> tuple[int, ...]:
    """Return the place of a token made by `seal` with the same binding and so many integers.

    Raises ValueError for any other text.
    """
    sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    if len(sealed) != 8 * count + _CHECKSUM:
        raise ValueError("of another request")
    place = struct.unpack(f">{count}q", sealed[:-_CHECKSUM])
    if seal(binding, place) != token:  # the text, as the same bytes have other texts, too
        raise ValueError("damaged, or of another request")
    return place


def _checksum(binding: bytes, body: bytes) -> bytes:
    key = hashlib.sha256(binding).digest()
    return hashlib.blake2b(body, digest_size=_CHECKSUM, key=key).digest()
