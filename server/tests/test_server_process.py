"""The server as a process: how it starts, refuses to, stops, and comes back."""

import asyncio
import socket
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


def test_a_data_folder_that_can_not_be_made_is_a_fault(tmp_path: Path):
    (tmp_path / "file").touch()
    ended = run_command("--port", "0", "--data-dir", str(tmp_path / "file" / "data"))
    assert ended.returncode == 3
    assert "Traceback" not in ended.stderr


def test_help_is_told():
    assert "--database-url" in run_command("--help").stdout
