"""TLS: who gets a connection, and which files are refused before anything listens."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
import sqlalchemy as sa
from certificates import Authority
from running_server import Client, Refused, RunningServer, running

from stardag.v1 import admin_service_pb2 as admin
from stardag.v1.auth_pb2 import SCOPE_INGEST, SCOPE_READ
from stardag.v1.auth_service_pb2 import GetCallerRequest, GetCallerResponse
from stardag.v1.event_service_pb2 import WatchEventsRequest
from stardag.v1.workspace_pb2 import Workspace
from stardag.v1.workspace_service_pb2 import CreateWorkspaceRequest
from stardag_server import settings
from stardag_server.auth.certificates import read_owners
from stardag_server.commands.serve import greeting
from stardag_server.serving import Ports
from stardag_server.transport import open_calls
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


async def test_who_has_a_certificate_that_is_known_needs_no_other_credential(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(open_calls, "_INTERVAL", 0.05)
    authority = Authority.make(tmp_path / "ca")
    certificate, key = authority.issue("server")
    known = tmp_path / "principals.toml"
    known.write_text(
        '["spiffe://example.com/nightly"]\nworkspace = "search"\nscopes = ["ingest"]\n'
        '[dashboard]\nscopes = ["read"]\n["lost"]\nworkspace = "none"\nscopes = ["read"]\n'
    )
    files = {"tls_certificate": certificate, "tls_key": key, "tls_client_ca": authority.file}
    root = authority.file.read_bytes()

    async with running(_url(tmp_path), tmp_path, **files, tls_principals=known) as server:

        async def caller(
            name: str, metadata: tuple[tuple[str, str], ...] = (), uri: str | None = None
        ) -> GetCallerResponse:
            certificate, key = authority.issue(name, uri=uri)
            credentials = grpc.ssl_channel_credentials(
                root, key.read_bytes(), certificate.read_bytes()
            )
            async with grpc.aio.secure_channel(server.address, credentials) as channel:
                client = Client(channel, metadata)
                if metadata:
                    new = Workspace(name="search")
                    request = CreateWorkspaceRequest(workspace=new)
                    await client.workspaces.CreateWorkspace(request, metadata=metadata)
                return await client.auth.GetCaller(GetCallerRequest(), metadata=metadata)

        async def refused(name: str) -> str:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await caller(name)
            return Refused.of(caught.value).reason

        # A credential goes before the certificate.
        assert (await caller("dashboard", server.metadata)).principal == "local"
        nightly = await caller("dashboard", uri="spiffe://example.com/nightly")
        assert nightly.principal == "certificate:spiffe://example.com/nightly"
        assert (nightly.workspace, [*nightly.scopes]) == ("search", [SCOPE_INGEST])
        dashboard = await caller("dashboard")
        assert (dashboard.workspace, [*dashboard.scopes]) == ("default", [SCOPE_READ])
        # A stream is looked at again and again.
        certificate, key = authority.issue("dashboard")
        credentials = grpc.ssl_channel_credentials(root, key.read_bytes(), certificate.read_bytes())
        async with grpc.aio.secure_channel(server.address, credentials) as channel:
            watch = Client(channel, ()).events.WatchEvents(WatchEventsRequest())
            await watch.read()
            await asyncio.sleep(0.2)
            assert not watch.done()
            watch.cancel()
        assert await refused("somebody") == "CREDENTIAL_MISSING"
        assert await refused("lost") == "CREDENTIAL_INVALID"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nightly", "can't be read: "),
        ("nightly = 1", "'nightly': must be a table, [\"nightly\"]"),
        ("[nightly]", "scopes must be a list of ingest, read, admin, operator"),
        ("[nightly]\nscopes = ['write']", "scopes must be a list of ingest, "),
        ("[nightly]\nscopes = ['read']\nworkspace = 1", "workspace must be the name of one"),
        ("[nightly]\nscopes = ['read']\nrole = 'x'", "has 'role'; there are workspace and"),
    ],
)
def test_a_senseless_file_of_principals_is_refused(tmp_path: Path, text: str, told: str):
    file = tmp_path / "principals.toml"
    file.write_text(text)
    with pytest.raises(settings.SettingInvalid) as caught:
        read_owners(file)
    assert str(caught.value).startswith(f"tls_principals = '{file}': ")
    assert told in str(caught.value)


def test_certificates_prove_nothing_without_a_ca(tmp_path: Path):
    with pytest.raises(settings.SettingInvalid, match="tls_principals: needs tls_client_ca"):
        settings.load({"tls_principals": tmp_path / "principals.toml"}, {})


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
