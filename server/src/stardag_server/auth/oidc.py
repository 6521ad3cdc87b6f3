"""People, by the tokens of an OpenID Connect issuer.

A token must be signed by a key of the issuer with an algorithm of the list here, never with a
shared secret; be issued by it, for this server's audience; and not have expired. Its claims say
what its owner may do (`stardag:read` and the like) and in which workspace.
"""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast
from urllib.error import URLError
from urllib.request import urlopen

import jwt

from stardag.v1.auth_pb2 import (
    SCOPE_ADMIN,
    SCOPE_INGEST,
    SCOPE_OPERATOR,
    SCOPE_READ,
    Scope,
)
from stardag_server.auth.principal import Principal
from stardag_server.domain.refusals import CredentialInvalid, ServerOverloaded
from stardag_server.domain.scopes import held
from stardag_server.settings import Settings
from stardag_server.store.store import DEFAULT_WORKSPACE

_log = logging.getLogger(__name__)

_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
_REQUIRED = ("exp", "iss", "aud", "sub")
_LEEWAY = 30
"""Seconds by which the clocks of issuer and server may differ."""
_KEYS_LAST = 600.0
_KEYS_AGAIN = 10.0
"""Seconds between two looks at the issuer's keys for one that is not known."""
_FETCH_TIMEOUT = 5
_MAX_DOCUMENT = 1 << 20
_SCOPES = {
    "stardag:ingest": SCOPE_INGEST,
    "stardag:read": SCOPE_READ,
    "stardag:admin": SCOPE_ADMIN,
    "stardag:operator": SCOPE_OPERATOR,
}


class OidcVerifier:
    """Knows the owners of an issuer's tokens."""

    def __init__(
        self, loaded: Settings, find_workspace: Callable[[str], Awaitable[int | None]]
    ) -> None:
        self._issuer = loaded.oidc_issuer
        self._audience = loaded.oidc_audience
        self._scopes_claim = loaded.oidc_scopes_claim
        self._workspace_claim = loaded.oidc_workspace_claim
        self._find_workspace = find_workspace
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched = float("-inf")
        self._fetching = asyncio.Lock()

    async def principal(self, token: str) -> Principal:
        """Return who the token was issued to.

        Raises CredentialInvalid, and ServerOverloaded while the issuer does not tell its keys.
        """
        try:
            header = jwt.get_unverified_header(token)
            key = await self._key(str(header.get("kid", "")))
            claims = jwt.decode(
                token,
                key,
                algorithms=_ALGORITHMS,
                issuer=self._issuer,
                audience=self._audience,
                leeway=_LEEWAY,
                options={"require": [*_REQUIRED]},
            )
        except jwt.PyJWTError as error:
            # Which check failed is for whoever runs the server, and not for the caller.
            _log.info("a token was refused: %s", error)
            raise CredentialInvalid from None
        name = str(claims.get(self._workspace_claim, DEFAULT_WORKSPACE))
        workspace = await self._find_workspace(name)
        if workspace is None:
            _log.info("a token was refused: there is no workspace %r", name)
            raise CredentialInvalid
        expire_time = (int(claims["exp"]) + _LEEWAY) * 1_000_000
        scopes = held(_scopes(claims.get(self._scopes_claim)))
        return Principal(workspace, name, f"user:{claims['sub']}", scopes, expire_time)

    async def _key(self, id: str) -> jwt.PyJWK:
        async with self._fetching:
            age = time.monotonic() - self._fetched
            if age > (_KEYS_LAST if id in self._keys else _KEYS_AGAIN):
                await self._fetch()
        if id not in self._keys:
            raise jwt.InvalidKeyError(f"the issuer has no key {id!r}")
        return self._keys[id]

    async def _fetch(self) -> None:
        self._fetched = time.monotonic()
        try:
            about = await asyncio.to_thread(
                _document, f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
            )
            found = await asyncio.to_thread(_document, about["jwks_uri"])
            keys = jwt.PyJWKSet.from_dict(found).keys
        except (OSError, URLError, ValueError, KeyError, TypeError, jwt.PyJWTError) as error:
            _log.warning("can't read the keys of the issuer %s: %s", self._issuer, error)
            if not self._keys:
                self._fetched = float("-inf")
                raise ServerOverloaded from error
            return
        self._keys = {key.key_id: key for key in keys if key.key_id}


def _document(url: str) -> dict[str, Any]:
    # The settings allow http for an issuer on loopback alone; the issuer names its own keys.
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"{url} is no web address")
    with urlopen(url, timeout=_FETCH_TIMEOUT) as response:
        return json.loads(response.read(_MAX_DOCUMENT))


def _scopes(claim: object) -> list[Scope.ValueType]:
    """Return the scopes that a claim names: a list, or one text with blanks between."""
    names = claim.split() if isinstance(claim, str) else claim
    if not isinstance(names, list):
        return []
    return [_SCOPES[str(name)] for name in cast("list[object]", names) if str(name) in _SCOPES]
