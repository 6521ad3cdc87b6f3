"""People with tokens of an OpenID Connect issuer: a real one, with real keys, on loopback."""

from __future__ import annotations

import base64
import hmac
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import jwt
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from running_server import Client, Refused, running

from stardag.v1.auth_pb2 import SCOPE_INGEST, SCOPE_READ
from stardag.v1.auth_service_pb2 import GetCallerRequest, GetCallerResponse
from stardag_server.auth import oidc
from stardag_server.settings import SettingInvalid, load

AUDIENCE = "stardag"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _jwk(key: RSAPrivateKey) -> dict[str, Any]:
    numbers = key.public_key().public_numbers()
    size = key.key_size // 8
    return {"kty": "RSA", "n": _base64(numbers.n.to_bytes(size)), "e": _base64(b"\x01\x00\x01")}


class Issuer:
    """Publishes its keys, and signs tokens with the newest."""

    def __init__(self) -> None:
        self.keys: dict[str, RSAPrivateKey] = {}
        self.rotate("first")
        self.asked = 0
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                documents: dict[str, Callable[[], Any]] = {
                    "/.well-known/openid-configuration": lambda: {"jwks_uri": f"{issuer.url}/keys"},
                    "/keys": issuer.public_keys,
                }
                body = json.dumps(documents[self.path]()).encode()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def rotate(self, kid: str) -> None:
        """Sign with a new key from now on; those before are known no more."""
        self.keys = {kid: generate_private_key(public_exponent=65537, key_size=2048)}

    def public_keys(self) -> dict[str, Any]:
        keys: list[dict[str, Any]] = [
            _jwk(key) | {"kid": kid, "use": "sig", "alg": "RS256"} for kid, key in self.keys.items()
        ]
        return {"keys": keys}

    def token(self, algorithm: str = "RS256", key: Any = None, **claims: Any) -> str:
        [(kid, own)] = self.keys.items()
        given = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "ada",
            "exp": int(time.time()) + 300,
            "scope": "openid stardag:read stardag:ingest",
            **claims,
        }
        given = {name: value for name, value in given.items() if value is not None}
        return jwt.encode(given, own if key is None else key, algorithm, {"kid": kid})

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    yield issuer
    issuer.close()


@pytest.fixture
async def one(sqlite_url: sa.URL, tmp_path: Path, issuer: Issuer) -> AsyncIterator[Client]:
    """A client of a server that takes the issuer's tokens."""
    options = {"oidc_issuer": issuer.url, "oidc_audience": AUDIENCE}
    async with (
        running(sqlite_url, tmp_path / "data", **options) as server,
        server.client() as client,
    ):
        yield client


async def caller(client: Client, token: str) -> GetCallerResponse:
    own = client.with_key(token)
    return await own.auth.GetCaller(GetCallerRequest(), metadata=own.metadata)


async def refused(client: Client, token: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await caller(client, token)
    found = Refused.of(caught.value)
    assert (found.code, found.reason) == (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIAL_INVALID")
    assert token not in found.message


async def test_the_owner_of_a_token_may_do_what_its_claims_say(one: Client, issuer: Issuer):
    told = await caller(one, issuer.token())
    assert (told.principal, told.workspace) == ("user:ada", "default")
    assert [*told.scopes] == [SCOPE_INGEST, SCOPE_READ]
    assert told.HasField("expire_time")
    assert [*(await caller(one, issuer.token(scope=["stardag:read"]))).scopes] == [SCOPE_READ]


@pytest.mark.parametrize("scope", [None, "", "read", "stardag:everything", 7, {"stardag:read": 1}])
async def test_without_claims_there_is_nothing_one_may_do(
    one: Client, issuer: Issuer, scope: object
):
    assert not (await caller(one, issuer.token(scope=scope))).scopes


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://issuer.example"},
        {"aud": "another-service"},
        {"aud": None},
        {"exp": 1_000_000_000},  # long ago
        {"exp": None},
        {"nbf": 32_503_680_000},  # in the year 3000
        {"sub": None},
        {"stardag_workspace": "elsewhere"},
    ],
    ids=str,
)
async def test_a_token_whose_claims_do_not_hold_is_refused(
    one: Client, issuer: Issuer, claims: dict[str, Any]
):
    await refused(one, issuer.token(**claims))


async def test_a_token_that_the_issuer_did_not_sign_is_refused(one: Client, issuer: Issuer):
    await refused(one, issuer.token(key=generate_private_key(65537, 2048)))
    await refused(one, issuer.token()[:-4] + "AAAA")
    await refused(one, "a.b.c")


async def test_a_token_without_signature_or_with_a_shared_secret_is_refused(
    one: Client, issuer: Issuer
):
    await refused(one, issuer.token("none", key=""))
    [key] = issuer.keys.values()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    # The library itself refuses to sign with a public key, so it is done by hand.
    header, claims, _ = issuer.token().split(".")
    forged = _base64(b'{"alg":"HS256","typ":"JWT","kid":"first"}')
    signature = hmac.digest(public, f"{forged}.{claims}".encode(), "sha256")
    assert header
    await refused(one, f"{forged}.{claims}.{_base64(signature)}")


async def test_a_new_key_of_the_issuer_is_found_and_an_old_one_forgotten(
    one: Client, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
):
    old = issuer.token(sub="old")
    assert (await caller(one, issuer.token())).principal == "user:ada"
    issuer.rotate("second")
    monkeypatch.setattr(oidc, "_KEYS_AGAIN", 0.0)
    assert (await caller(one, issuer.token())).principal == "user:ada"
    await refused(one, old)


async def test_tokens_of_unknown_keys_do_not_make_the_server_ask_again_and_again(
    one: Client, issuer: Issuer
):
    await caller(one, issuer.token())
    asked = issuer.asked
    for number in range(20):
        issuer.rotate(f"unknown {number}")
        await refused(one, issuer.token())
    assert issuer.asked == asked


async def test_an_issuer_that_does_not_answer_is_no_fault_of_the_caller(
    one: Client, issuer: Issuer
):
    token = issuer.token()
    issuer.close()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await caller(one, token)
    assert Refused.of(caught.value).reason == "SERVER_OVERLOADED"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"oidc_issuer": "https://issuer.example"}, "oidc_audience"),
        ({"oidc_issuer": "http://issuer.example", "oidc_audience": "a"}, "https"),
        ({"oidc_issuer": "file:///etc/keys", "oidc_audience": "a"}, "https"),
    ],
)
def test_settings_that_would_take_anybodys_tokens_are_refused(options: dict[str, str], said: str):
    with pytest.raises(SettingInvalid, match=said):
        load(options, {})
