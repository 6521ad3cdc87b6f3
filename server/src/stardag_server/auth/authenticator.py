"""From what a call shows to who calls."""

import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from stardag_server.auth.credentials import Credentials
from stardag_server.auth.keys import KeyText
from stardag_server.auth.principal import Principal
from stardag_server.domain.refusals import CredentialInvalid, CredentialMissing
from stardag_server.domain.scopes import held
from stardag_server.store.keys import Keys, StoredKey

_SCHEME = "bearer"
_TRUSTED = 15.0
"""Seconds for which a credential that was good is taken to be good: within twice that a
revocation holds everywhere."""
_REMEMBERED = 10_000
_MAX_CREDENTIAL = 8 << 10


class TokenVerifier(Protocol):
    """Knows the people of an identity provider by their tokens."""

    async def principal(self, token: str) -> Principal:
        """Return who the token was issued to. Raises CredentialInvalid."""
        ...


class CertificateVerifier(Protocol):
    """Knows programs by the certificates that they connect with."""

    async def principal(self, names: Sequence[str]) -> Principal:
        """Return who has these names. Raises CredentialMissing if nobody, CredentialInvalid."""
        ...


@dataclass(frozen=True, slots=True)
class _Seen:
    principal: Principal
    until: float


class Authenticator:
    """Knows callers by their credential: the local token, a key, or the token of an issuer.

    Only who sends none is known by the certificate of the connection. A credential that was good
    is not looked up again for 15 s, but for its expiry.
    """

    def __init__(
        self,
        token: str,
        local: Principal,
        keys: Keys,
        pepper: str,
        *,
        verifier: TokenVerifier | None = None,
        certificates: CertificateVerifier | None = None,
    ) -> None:
        self._token = token.encode()
        self._local = local
        self._keys = keys
        self._pepper = pepper
        self._verifier = verifier
        self._certificates = certificates
        # By digest, so that what a dump of the memory shows is no credential.
        self._seen: OrderedDict[bytes, _Seen] = OrderedDict()

    async def authenticate(self, shown: Credentials) -> Principal:
        """Return who makes a call that shows these.

        Raises CredentialMissing if there is none, CredentialInvalid if it is not one that
        works, and StorageUnavailable if that can't be found out.
        """
        if not shown.authorization and shown.certificate_names and self._certificates is not None:
            return await self._certificates.principal(shown.certificate_names)
        credential = _credential(shown.authorization)
        # Takes the same time whatever the credential is.
        if hmac.compare_digest(credential, self._token):
            return self._local
        digest = hashlib.sha256(credential).digest()
        seen = self._seen.get(digest)
        if seen is None or seen.until <= time.monotonic():
            self._seen.pop(digest, None)
            seen = _Seen(await self._look_up(credential), time.monotonic() + _TRUSTED)
            self._seen[digest] = seen
            if len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
        expire_time = seen.principal.expire_time
        if expire_time and expire_time <= time.time_ns() // 1_000:
            raise CredentialInvalid
        return seen.principal

    def forget(self) -> None:
        """Look every credential up again: one was revoked."""
        self._seen.clear()

    async def _look_up(self, credential: bytes) -> Principal:
        try:
            text = credential.decode("ascii")
        except UnicodeDecodeError:
            raise CredentialInvalid from None
        if (key := KeyText.parse(text)) is not None:
            return self._owner(key, await self._keys.find(key.key_id))
        if self._verifier is not None:
            return await self._verifier.principal(text)
        raise CredentialInvalid

    def _owner(self, key: KeyText, stored: StoredKey | None) -> Principal:
        expected = stored.hash if stored else b""
        if not hmac.compare_digest(key.hash(self._pepper), expected) or stored is None:
            raise CredentialInvalid
        if stored.revoke_time or (stored.expire_time and stored.expire_time <= stored.now):
            raise CredentialInvalid
        return Principal(
            stored.workspace,
            stored.workspace_name,
            f"key:{stored.key_id}",
            held(stored.scopes),
            stored.expire_time,
        )


def _credential(authorization: Sequence[str | bytes]) -> bytes:
    values = [value.encode() if isinstance(value, str) else value for value in authorization]
    if not values:
        raise CredentialMissing
    scheme, _, credential = values[0].partition(b" ")
    credential = credential.strip()
    well_formed = scheme.lower() == _SCHEME.encode() and 0 < len(credential) <= _MAX_CREDENTIAL
    if len(values) != 1 or not well_formed:
        raise CredentialInvalid
    return credential
