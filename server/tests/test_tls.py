"""TLS: who gets a connection, and which files are refused before anything listens."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import grpc
import pytest
import sqlalchemy as sa
from certificates import Authority
from running_server import Client, RunningServer, running

from stardag.v1 import admin_service_pb2 as admin
from stardag_server import settings
from stardag_server.commands.serve import greeting
from stardag_server.serving import Ports
from stardag_server.transport.tls import CertificateUnusable, TlsFiles


async def _ask(server: RunningServer, credentials: grpc.ChannelCredentials | None) -> None:
    channel = (
        grpc.aio.insecure_channel(server.address)
        if credentials is None
        else grpc.aio.secure_channel(server.address, credentials)
    )
    async with channel:
        client = Client(channel, server.metadata)
        await client.admin.GetServerInfo(
            admin.GetServerInfoRequest(), metadata=server.metadata, timeout=10
        )


def _url(folder: Path) -> sa.URL:
    return sa.URL.create("sqlite+aiosqlite", database=str(folder / "stardag.sqlite"))


async def test_only_a_client_that_trusts_the_ca_is_connected(tmp_path: Path):
    ours, other = Authority.make(tmp_path / "ours"), Authority.make(tmp_path / "other")
    certificate, key = ours.issue("server")
    files = {"tls_certificate": certificate, "tls_key": key}
    async with running(_url(tmp_path), tmp_path, **files) as server:
        await _ask(server, grpc.ssl_channel_credentials(ours.file.read_bytes()))
        for wrong in (grpc.ssl_channel_credentials(other.file.read_bytes()), None):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await _ask(server, wrong)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_with_a_ca_of_clients_only_its_certificates_are_let_in(tmp_path: Path):
    ours, other = Authority.make(tmp_path / "ours"), Authority.make(tmp_path / "other")
    certificate, key = ours.issue("server")
    files = {"tls_certificate": certificate, "tls_key": key, "tls_client_ca": ours.file}
    root = ours.file.read_bytes()

    def holder(authority: Authority) -> grpc.ChannelCredentials:
        certificate, key = authority.issue("worker")
        return grpc.ssl_channel_credentials(root, key.read_bytes(), certificate.read_bytes())

    async with running(_url(tmp_path), tmp_path, **files) as server:
        await _ask(server, holder(ours))
        for wrong in (holder(other), grpc.ssl_channel_credentials(root)):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await _ask(server, wrong)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_renewed_certificate_is_used_by_the_next_connection(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    old, new = Authority.make(tmp_path / "old"), Authority.make(tmp_path / "new")
    certificate, key = old.issue("server")
    trusting = {ca: grpc.ssl_channel_credentials(ca.file.read_bytes()) for ca in (old, new)}
    files = {"tls_certificate": certificate, "tls_key": key}
    async with running(_url(tmp_path), tmp_path, **files) as server:
        async with grpc.aio.secure_channel(server.address, trusting[old]) as channel:
            client = Client(channel, server.metadata)
            ask = admin.GetServerInfoRequest()
            await client.admin.GetServerInfo(ask, metadata=server.metadata)
            renewed, its_key = new.issue("server")
            renewed.replace(certificate)
            await _ask(server, trusting[old])
            assert "KEY_VALUES_MISMATCH" in caplog.text
            its_key.replace(key)
            await _ask(server, trusting[new])
            # Who is connected already stays so.
            await client.admin.GetServerInfo(ask, metadata=server.metadata)
        with pytest.raises(grpc.aio.AioRpcError):
            await _ask(server, trusting[old])


def test_files_that_do_not_fit_are_refused_by_name(tmp_path: Path):
    authority = Authority.make(tmp_path / "ca")
    certificate, key = authority.issue("server")
    _, other_key = authority.issue("other")
    nothing = tmp_path / "nothing.pem"
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("garbage")
    expired = authority.issue("late", ends_in=timedelta(days=-1))
    folder = tmp_path / "ca"
    for files, named in (
        (TlsFiles(nothing, key), f"tls_certificate {nothing}: No such file"),
        (TlsFiles(certificate, nothing), f"tls_key {nothing}: No such file"),
        (TlsFiles(certificate, other_key), f"tls_key {other_key}: KEY_VALUES_MISMATCH"),
        (TlsFiles(garbage, key), f"tls_certificate {garbage} and"),
        (TlsFiles(certificate, folder), f"tls_key {folder}: Is a directory; give a PEM file"),
        (TlsFiles(certificate, key, garbage), f"tls_client_ca {garbage}: holds no certificate"),
        (TlsFiles(*expired), f"tls_certificate {expired[0]}: expired on "),
    ):
        with pytest.raises(CertificateUnusable) as caught:
            files.credentials()
        assert named in str(caught.value)


def test_who_is_greeted_is_told_a_name_that_the_certificate_has(tmp_path: Path):
    authority = Authority.make(tmp_path / "ca")
    certificate, key = authority.issue("server", host="builds.example.com")

    def told(**given: object) -> str:
        loaded = settings.load({"host": "0.0.0.0", "http_port": "off", **given}, {})
        return greeting(loaded, Ports(7465, None))[1]

    address = told(tls_certificate=certificate, tls_key=key)
    assert address.endswith("STARDAG_SERVER=https://builds.example.com:7465")
    assert told(insecure_plaintext=True).endswith("STARDAG_SERVER='https://<the proxy with TLS>'")
