"""A build as one file, written and read by the commands while servers run."""

import contextlib
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from producer import Producer
from running_server import Client, running
from server_process import ServerProcess, run_command

from stardag.v1.auth_pb2 import SCOPE_ADMIN
from stardag.v1.auth_service_pb2 import CreateKeyRequest
from stardag.v1.build_archive_pb2 import BuildArchiveHeader, BuildArchivePart
from stardag.v1.build_service_pb2 import GetBuildRequest
from stardag.v1.workspace_pb2 import Workspace
from stardag.v1.workspace_service_pb2 import CreateWorkspaceRequest
from stardag_server.archive_file import read_parts, write_part
from stardag_server.domain.refusals import ArchiveInvalid


async def test_a_build_is_moved_as_a_file_between_servers_that_run(
    tmp_path: Path, database_url: sa.URL, other_url: sa.URL
):
    make = Producer()
    file = tmp_path / "build.archive"
    urls = [url.render_as_string(hide_password=False) for url in (database_url, other_url)]
    with contextlib.ExitStack() as stack:
        clients = [
            Client(stack.enter_context(server).channel(), server.metadata)
            for server in (
                ServerProcess(tmp_path / f"server-{number}", url) for number, url in enumerate(urls)
            )
        ]
        await clients[0].publish(make.open, [make.started(), *make.run("a"), make.completed()])
        exported = run_command(
            "export", make.build_id, "--output", str(file), "--database-url", urls[0]
        )
        assert exported.returncode == 0, exported.stderr
        imported = run_command("import", str(file), "--database-url", urls[1])
        assert (imported.returncode, imported.stdout) == (
            0,
            f"build {make.build_id} is imported\n",
        ), imported.stderr
        request = GetBuildRequest(build_id=make.build_id)
        first, second = [
            await client.builds.GetBuild(request, metadata=client.metadata) for client in clients
        ]
        assert first == second
        for client in clients:
            await client.channel.close()
    again = run_command("import", str(file), "--database-url", urls[1])
    assert again.returncode == 1
    assert again.stderr.endswith(
        f"build {make.build_id} is here already; delete it first to import it anew\n"
    )


async def test_commands_work_on_the_workspace_that_is_named(tmp_path: Path, sqlite_url: sa.URL):
    make, file = Producer(), tmp_path / "build.archive"
    async with running(sqlite_url, tmp_path / "data") as server, server.client() as operator:
        for name in ("team-a", "team-b"):
            created = CreateWorkspaceRequest(workspace=Workspace(name=name))
            await operator.workspaces.CreateWorkspace(created, metadata=operator.metadata)
        request = CreateKeyRequest(display_name="a", scopes=[SCOPE_ADMIN], workspace="team-a")
        made = await operator.auth.CreateKey(request, metadata=operator.metadata)
        team = operator.with_key(made.secret)
        await team.publish(make.open, [make.started(), *make.run("a"), make.completed()])

    def said(*arguments: str) -> str:
        url = sqlite_url.render_as_string(hide_password=False)
        done = run_command(*arguments, "--database-url", url)
        return done.stdout.strip() if done.returncode == 0 else done.stderr.strip()

    exported = said("export", make.build_id, "--output", str(file), "--workspace", "team-a")
    assert exported == f"build {make.build_id} is in {file}"
    imported = said("import", str(file), "--workspace", "team-b")
    assert imported == f"build {make.build_id} is imported"
    assert "checked 1 builds, 5 events, 1 tasks" in said("check", "--workspace", "team-b")
    assert "no workspace nowhere" in said("purge", "--workspace", "nowhere")


def test_what_fails_leaves_no_file_and_says_why(tmp_path: Path):
    build, data = uuid4(), ("--data-dir", str(tmp_path / "data"))
    there = tmp_path / "there.archive"
    there.write_bytes(b"kept")
    failed = run_command("export", str(build), "--output", str(there), *data)
    assert failed.returncode == 1 and f"no build {build}" in failed.stderr
    assert there.read_bytes() == b"kept" and not [*tmp_path.glob("*.partial")]
    missing = run_command("import", str(tmp_path / "none"), *data)
    assert missing.returncode == 3 and "No such file" in missing.stderr
    other = run_command("import", str(there), *data)
    assert other.returncode == 1 and "archive" in other.stderr and "Traceback" not in other.stderr


def test_a_file_has_its_parts_as_they_were(tmp_path: Path):
    written = [
        BuildArchivePart(header=BuildArchiveHeader(format=1, build_id=str(uuid4()))),
        BuildArchivePart(asset_chunk=b"x" * 300_000),
        BuildArchivePart(),
    ]
    with (tmp_path / "archive").open("w+b") as file:
        for part in written:
            write_part(file, part)
        assert list(read_parts(file)) == written


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(b"\x05\x0a\x03\x08", id="cut within a part"),
        pytest.param(b"\x80", id="cut within a length"),
        pytest.param(b"\xff" * 9, id="a length that never ends"),
        pytest.param(b"\xff\xff\xff\x7f" + bytes(100), id="a length beyond any part"),
        pytest.param(b"\x04\xff\xff\xff\xff", id="bytes that do not parse"),
        pytest.param(b"\x05\x0a\x03\x12\x01\xff", id="text that is not UTF-8"),
    ],
)
def test_a_damaged_file_is_refused_with_the_part_at_fault(tmp_path: Path, damaged: bytes):
    (tmp_path / "archive").write_bytes(b"\x00" + damaged)
    with (tmp_path / "archive").open("rb") as file, pytest.raises(ArchiveInvalid) as caught:
        list(read_parts(file))
    assert caught.value.metadata == {"part": "1"}
