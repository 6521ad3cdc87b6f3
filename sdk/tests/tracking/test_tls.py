"""TLS from the client's side: what a connection fails by, and which files are refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from certificates import Authority
from pydantic import SecretStr

from stardag._errors import ConfigError
from stardag.client import Client, UnreachableError
from stardag.config import ServerConfig, read_config
from stardag.tracking.connection.address import parse_address
from stardag.tracking.connection.credential import Credential, configured_credential
from stardag.tracking.connection.tls import TlsError, TlsFiles, configured_tls

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return Authority.make(tmp_path / "ours")


@pytest.fixture
def server() -> Iterator[grpc.Server]:
    """A server that has nothing to offer to whom it lets in."""
    server = grpc.server(ThreadPoolExecutor(1))
    yield server
    server.stop(None)


def listen(server: grpc.Server, files: tuple[Path, Path], ca: Authority | None = None) -> int:
    certificate, key = (file.read_bytes() for file in files)
    root = ca.file.read_bytes() if ca else None
    credentials = grpc.ssl_server_credentials([(key, certificate)], root, ca is not None)
    return server.add_secure_port("127.0.0.1:0", credentials)


def failure(port: int, tls: TlsFiles, scheme: str = "https") -> str:
    """Return what a call tells whoever made it."""
    address = parse_address(f"{scheme}://127.0.0.1:{port}")
    with Client(address, Credential(tls=tls)) as client, pytest.raises(UnreachableError) as caught:
        client.get_task("t")
    assert "SSL" not in str(caught.value)
    return str(caught.value)


def test_why_there_is_no_connection_is_told_in_words(
    server: grpc.Server, ours: Authority, tmp_path: Path
) -> None:
    good = listen(server, ours.issue("good"))
    late = listen(server, ours.issue("late", ends_in=timedelta(days=-1)))
    elsewhere = listen(server, ours.issue("elsewhere", host="other.example.com"))
    mutual = listen(server, ours.issue("mutual"), ours)
    plain = server.add_insecure_port("127.0.0.1:0")
    server.start()
    trusting, stranger = TlsFiles(ours.file), TlsFiles(Authority.make(tmp_path / "other").file)
    for tls in (stranger, TlsFiles()):
        assert "is of no CA that is trusted here; set STARDAG_CA_FILE" in failure(good, tls)
    assert "certificate has expired" in failure(late, trusting)
    assert "certificate is for another host" in failure(elsewhere, trusting)
    assert "wants a certificate (STARDAG_CLIENT_CERTIFICATE)" in failure(mutual, trusting)
    assert "does not speak TLS" in failure(plain, trusting)
    assert "speaks TLS to a client that does not" in failure(good, trusting, "http")


def test_files_that_can_not_be_used_are_named(ours: Authority, tmp_path: Path) -> None:
    certificate, key = ours.issue("me")
    _, other_key = ours.issue("other")
    garbage, nothing = tmp_path / "garbage", tmp_path / "nothing"
    garbage.write_text("garbage")
    for files, told in (
        (TlsFiles(nothing), f"the CA file {nothing} can't be read: No such file"),
        (TlsFiles(garbage), f"the CA file {garbage} holds no certificate in PEM"),
        (TlsFiles(None, certificate, nothing), f"the client key {nothing} can't be read"),
        (TlsFiles(None, certificate, tmp_path), f"the client key {tmp_path} can't be read"),
        (TlsFiles(None, certificate, other_key), f"{other_key} do not fit (KEY_VALUES_MISMATCH)"),
        (TlsFiles(None, garbage, key), f"the client certificate {garbage} and the key"),
    ):
        with pytest.raises(TlsError) as caught:
            files.read()
        assert told in str(caught.value)


def test_a_certificate_and_its_key_go_together(tmp_path: Path) -> None:
    for given, missing in (("certificate", "KEY"), ("key", "CERTIFICATE")):
        server = ServerConfig.model_validate({f"client_{given}": tmp_path})
        with pytest.raises(TlsError, match=f"STARDAG_CLIENT_{missing} is not set"):
            configured_tls(server)


def test_a_key_in_the_place_of_its_path_is_refused_and_not_repeated() -> None:
    values = {"server": {"client_key": "-----BEGIN PRIVATE KEY-----\nhunter2"}}
    with pytest.raises(ConfigError, match="it is the content of a file") as caught:
        read_config(values, "stardag.toml")
    assert "hunter2" not in str(caught.value)


def test_a_process_of_ours_is_told_the_files_and_no_token(tmp_path: Path) -> None:
    server = ServerConfig(
        token=SecretStr("hunter2"),
        ca_file=tmp_path / "ca.pem",
        client_certificate=tmp_path / "me.pem",
        client_key=tmp_path / "me.key",
    )
    options = configured_credential(server, parse_address("example.com")).options()
    assert options == [
        f"--ca-file={tmp_path}/ca.pem",
        f"--client-certificate={tmp_path}/me.pem",
        f"--client-key={tmp_path}/me.key",
    ]
