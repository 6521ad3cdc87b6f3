"""Where a credential may go."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from stardag import ConfigError
from stardag.config import ServerConfig
from stardag.tracking.connection.address import parse_address
from stardag.tracking.connection.credential import (
    Credential,
    CredentialError,
    configured_credential,
)
from stardag.tracking.connection.verdict import Fault, judge


@pytest.mark.parametrize(
    ("text", "target", "tls"),
    [
        ("127.0.0.1:7465", "127.0.0.1:7465", False),
        ("localhost", "localhost:7465", False),
        ("[::1]:9", "[::1]:9", False),
        ("http://127.0.0.1:1", "127.0.0.1:1", False),
        ("stardag.example.org", "stardag.example.org:7465", True),
        ("10.0.0.7:7465", "10.0.0.7:7465", True),
        ("https://stardag.example.org", "stardag.example.org:443", True),
        ("https://localhost:7465/", "localhost:7465", True),
        ("http://10.0.0.7:7465", "10.0.0.7:7465", False),
    ],
)
def test_an_address_says_where_and_whether_encrypted(text: str, target: str, tls: bool) -> None:
    address = parse_address(text)
    assert (address.target, address.tls) == (target, tls)
    assert parse_address(address.url) == address


@pytest.mark.parametrize(
    "text", ["", "ftp://x", "x:port", "http://u:p@x", "https://x/path", "x:99999", "x:0", "://x"]
)
def test_a_wrong_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="address"):
        parse_address(text)


def test_a_credential_goes_in_plaintext_to_this_machine_only() -> None:
    token, none = Credential(token="t"), Credential()
    parse_address("127.0.0.1:1").require_safe_for(token)
    parse_address("10.0.0.7:1").require_safe_for(token)
    parse_address("http://10.0.0.7:1").require_safe_for(none)
    with pytest.raises(ConfigError, match="unencrypted"):
        parse_address("http://10.0.0.7:1").require_safe_for(token)


def test_other_addresses_have_other_spools() -> None:
    texts = ["a:1", "a:2", "http://a:1", "b:1", "[::1]:1", "127.0.0.1:1"]
    assert len({parse_address(text).slug for text in texts}) == len(texts)
    assert all("/" not in parse_address(text).slug for text in texts)


def test_the_local_servers_own_token_goes_to_this_machine_only(tmp_path: Path) -> None:
    here, there = parse_address("127.0.0.1:1"), parse_address("10.0.0.7:1")
    file = configured_credential(ServerConfig(), here).file
    assert file is not None
    assert file.name == "token"
    assert configured_credential(ServerConfig(), there) == Credential()
    own = ServerConfig(token_file=tmp_path / "mine")
    assert configured_credential(own, there) == Credential(file=tmp_path / "mine")
    assert configured_credential(ServerConfig(token=SecretStr("t")), there).read() == "t"


def test_a_credential_is_read_anew_and_never_shown(tmp_path: Path) -> None:
    credential = Credential(file=tmp_path / "token")
    assert credential.read() is None
    (tmp_path / "token").write_text("one\n")
    assert credential.read() == "one"
    (tmp_path / "token").write_text("two\n")
    assert credential.read() == "two"
    assert "geheim" not in repr(Credential(token="geheim"))


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", "tökén".encode(), b"two\nlines", None])
def test_what_can_not_be_a_credential_is_named_by_its_file(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "token"
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
    with pytest.raises(CredentialError, match=str(file)) as caught:
        Credential(file=file).read()
    assert "lines" not in str(caught.value)
    assert judge(caught.value).fault is Fault.CREDENTIAL
    with pytest.raises(CredentialError):
        Credential(token="tökén").read()
