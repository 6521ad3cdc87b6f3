"""The server as a process: how it starts, refuses to, stops, and comes back."""

import asyncio
import json
import shlex
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from producer import Producer
from running_server import Client, Refused
from server_process import ServerProcess, run_command

from stardag.v1.build_service_pb2 import GetBuildRequest
from stardag.v1.event_service_pb2 import PublishEventsRequest
from stardag_server.main import main


async def recorded(client: Client, make: Producer) -> int:
    response = await client.builds.GetBuild(
        GetBuildRequest(build_id=make.build_id), metadata=client.metadata
    )
    return response.build.completeness.recorded_events


def test_it_says_where_it_listens_and_how_to_point_the_sdk_at_it(tmp_path: Path):
    with ServerProcess(tmp_path / "data") as server:
        host, port = server.address.split(":")
        with socket.create_connection((host, int(port)), timeout=5):
            pass
        assert server._process.stdout
        said = [server._process.stdout.readline() for _ in range(2)]
        assert f"STARDAG_SERVER={server.address}" in said[0]
        assert f"STARDAG_TOKEN_FILE={tmp_path / 'data' / 'token'}" in said[1]
        assert server.terminate() == 0
    log = (tmp_path / "data" / "stderr.log").read_text()
    assert "port = 0 (option)" in log
    assert server.token not in log


def test_what_it_says_can_be_pasted_into_a_shell(tmp_path: Path):
    data_dir = tmp_path / "it's $HOME"
    with ServerProcess(data_dir, options=("--host", "::1")) as server:
        assert server.address == f"[::1]:{server.port}"
        assert server._process.stdout
        said = [server._process.stdout.readline().split("export ")[1] for _ in range(2)]
        assert [word for line in said for word in shlex.split(line)] == [
            f"STARDAG_SERVER={server.address}",
            f"STARDAG_TOKEN_FILE={data_dir / 'token'}",
        ]


async def test_it_ends_cleanly_with_streams_open(tmp_path: Path):
    make = Producer()
    with ServerProcess(tmp_path / "data") as server:
        async with server.channel() as channel:
            client = Client(channel, server.metadata)
            call: Any = client.events.PublishEvents(metadata=server.metadata)
            await call.write(
                PublishEventsRequest(open=make.open, first_sequence=1, events=[make.started()])
            )
            await call.read()
            acknowledged = await call.read()
            assert acknowledged.ack.committed_sequence == 1
            ending = asyncio.create_task(asyncio.to_thread(server.terminate))
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call.read()
            refused = Refused.of(caught.value)
            assert (refused.code, refused.reason) == (
                grpc.StatusCode.UNAVAILABLE,
                "SERVER_DRAINING",
            )
        assert await ending == 0


async def test_killed_and_started_again_it_has_every_event_once(
    database_url: sa.URL, tmp_path: Path
):
    make = Producer()
    events = [make.started()]
    events += [event for number in range(400) for event in make.run(str(number))]
    url = database_url.render_as_string(hide_password=False)
    committed = 0
    server = ServerProcess(tmp_path / "data", url)
    for kill_after in (300, len(events)):
        with server:
            async with server.channel() as channel:
                client = Client(channel, server.metadata)
                call: Any = client.events.PublishEvents(metadata=server.metadata)
                await call.write(PublishEventsRequest(open=make.open))
                opened = (await call.read()).opened.committed_sequence
                assert opened >= committed
                for begin in range(opened, len(events), 50):
                    batch = events[begin : begin + 50]
                    await call.write(PublishEventsRequest(first_sequence=begin + 1, events=batch))
                while committed < kill_after:
                    committed = (await call.read()).ack.committed_sequence
                server.kill()
    with server:
        async with server.channel() as channel:
            client = Client(channel, server.metadata)
            assert await recorded(client, make) == len(events)


def test_a_port_that_is_taken_is_a_fault_that_says_what_to_do(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run_command("--port", port, "--data-dir", str(tmp_path))
    assert ended.returncode == 3
    assert port in ended.stderr and "--port" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--host", "0.0.0.0"], "loopback"),
        (["--port", "99999"], "port"),
        (["--port", "http"], "port"),
        (["--database-url", "mysql://x/y"], "postgresql+asyncpg"),
        (["--database-url", "postgresql://x@y/z?sslmod=require"], "sslmod"),
        (["--no-such-option"], "no-such-option"),
        (["surprise"], "surprise"),
    ],
)
def test_bad_usage_ends_with_2(
    arguments: list[str],
    says: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    with pytest.raises(SystemExit) as ended:
        main(["--data-dir", str(tmp_path), *arguments])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert says in said and "Traceback" not in said


@pytest.mark.parametrize("command", [[], ["migrate"]])
def test_a_database_that_does_not_answer_is_a_fault(command: list[str], tmp_path: Path):
    url = "postgresql+asyncpg://nobody:hunter2@127.0.0.1:1/none"
    ended = run_command(*command, "--data-dir", str(tmp_path), "--database-url", url)
    assert ended.returncode == 3
    assert "the database does not answer" in ended.stderr
    assert "Traceback" not in ended.stderr and "hunter2" not in ended.stderr


def assert_one_line(stderr: str, *parts: str) -> None:
    [line] = [line for line in stderr.splitlines() if " INFO " not in line]
    assert line.startswith("stardag-server: ")
    assert all(part in line for part in parts), line


@pytest.mark.parametrize("command", [[], ["migrate"]])
def test_a_file_that_is_no_database_is_a_fault(command: list[str], tmp_path: Path):
    (tmp_path / "stardag.sqlite").write_text("a diary, and not a database " * 100)
    ended = run_command(*command, "--data-dir", str(tmp_path))
    assert ended.returncode == 3
    assert_one_line(ended.stderr, "SQLite", "file is not a database", "--data-dir")


def test_a_disk_that_takes_no_more_is_a_fault(tmp_path: Path):
    limited = ["bash", "-c", 'ulimit -f 16; exec "$0" "$@"', sys.executable]
    ended = subprocess.run(
        [*limited, "-m", "stardag_server", "migrate", "--data-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 3
    assert_one_line(ended.stderr, "SQLite", "--data-dir")


def test_a_database_that_refuses_is_a_fault(postgres: sa.URL, tmp_path: Path):
    url = postgres.set(database="missing").render_as_string(hide_password=False)
    ended = run_command("migrate", "--data-dir", str(tmp_path), "--database-url", url)
    assert ended.returncode == 3
    assert_one_line(ended.stderr, "refuses", "missing", "--database-url")


def test_a_token_file_that_is_no_text_is_a_fault(tmp_path: Path):
    (tmp_path / "token").write_bytes(b"\xff")
    ended = run_command("--data-dir", str(tmp_path), "--port", "0")
    assert ended.returncode == 3
    assert_one_line(ended.stderr, str(tmp_path / "token"))


def test_a_data_folder_that_can_not_be_made_is_a_fault(tmp_path: Path):
    (tmp_path / "file").touch()
    ended = run_command("--port", "0", "--data-dir", str(tmp_path / "file" / "data"))
    assert ended.returncode == 3
    assert "Traceback" not in ended.stderr


def test_help_is_told():
    assert "--database-url" in run_command("--help").stdout


def test_it_shows_its_settings_and_where_they_come_from(tmp_path: Path):
    file = tmp_path / "server.toml"
    file.write_text('database_url = "postgresql://stardag:hunter2@db/stardag"\nport = 0\n')
    shown = run_command("settings", "--config", str(file), STARDAG_SERVER_LOG_LEVEL="debug")
    assert shown.returncode == 0
    assert f"port = 0 ({file})" in shown.stdout
    assert "log_level = debug (environment)" in shown.stdout
    assert "hunter2" not in shown.stdout


def test_its_log_may_be_json(tmp_path: Path):
    with ServerProcess(tmp_path / "data", options=("--log-format", "json")) as server:
        server.terminate()
    lines = (tmp_path / "data" / "stderr.log").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    assert {"time", "level", "logger", "message"} <= entries[0].keys()
    assert "stopping" in [entry["message"] for entry in entries]


async def test_the_first_key_is_made_on_the_servers_own_machine(tmp_path: Path):
    folder = ("--data-dir", str(tmp_path / "data"))
    made = run_command("keys", "create", "nightly", "--scope", "read", "--scope", "ingest", *folder)
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip()
    listed = run_command("keys", "list", *folder)
    assert "ingest,read" in listed.stdout and "nightly" in listed.stdout
    assert key not in listed.stdout
    make = Producer()
    with ServerProcess(tmp_path / "data") as server:
        async with server.channel() as channel:
            client = Client(channel, (("authorization", f"Bearer {key}"),))
            await client.publish(make.open, [make.started(), make.completed()])
            assert await recorded(client, make) == 2
        ended = run_command("keys", "revoke", key.split("_")[1], *folder)
        assert ended.returncode == 0 and "was revoked" in ended.stdout
    assert run_command("keys", "list", *folder).stdout == ""
    assert key.split("_")[2] not in (tmp_path / "data" / "stderr.log").read_text()


def test_a_command_on_keys_that_cannot_be_done_says_why(tmp_path: Path):
    folder = ("--data-dir", str(tmp_path / "data"))
    for arguments, said in (
        (("revoke", "none"), "none"),
        (("list", "--workspace", "elsewhere"), "elsewhere"),
    ):
        ended = run_command("keys", *arguments, *folder)
        assert ended.returncode == 1
        assert said in ended.stderr and "Traceback" not in ended.stderr
