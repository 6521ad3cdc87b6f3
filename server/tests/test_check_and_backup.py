"""The database checked, and copied while a server writes to it; on real files and servers."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa
from producer import Producer, task_id
from running_server import Client, running
from server_process import ServerProcess, run_command
from sqlalchemy.ext.asyncio import create_async_engine

from stardag.v1 import event_pb2 as pb
from stardag.v1.asset_pb2 import ASSET_KIND_MARKDOWN
from stardag.v1.asset_service_pb2 import AssetDraft, PutAssetRequest
from stardag.v1.build_service_pb2 import CancelBuildRequest
from stardag_server.store.inspection import Inspection


async def some_builds(client: Client) -> UUID:
    """Publish builds of every kind of end; return the first."""
    make = Producer()
    await client.publish(
        make.open,
        [
            make.started(name="b\x00c", labels={"a": "b"}, root_task_ids=[str(task_id("b"))]),
            *make.run("a"),
            make.pending("b", ["a", "unknown"]),
            make.event(pb.EVENT_TYPE_TASK_STARTED, "b", 1),
            make.event(pb.EVENT_TYPE_TASK_COMPLETED, "a", 1),
            make.event(pb.EVENT_TYPE_TASK_PENDING, "x" * 9, definition=None),
            make.event(pb.EVENT_TYPE_PRODUCER_DIED, build_end=pb.BuildEnd(reason="killed")),
        ],
    )
    second = Producer(build=make.build)
    await client.publish(second.open, [second.started(), *second.run("b", 2), second.completed()])
    asked = Producer()
    await client.publish(asked.open, [asked.started(), asked.event(99)])
    await client.builds.CancelBuild(
        CancelBuildRequest(build_id=asked.build_id), metadata=client.metadata
    )
    draft = AssetDraft(task_id=str(task_id("a")), name="r", kind=ASSET_KIND_MARKDOWN)
    request = PutAssetRequest(draft=draft, content=b"# text" * 100_000)
    await client.assets.PutAsset(request, metadata=client.metadata)
    return make.build


async def problems(url: sa.URL) -> list[str]:
    inspection = Inspection(url)
    found = [problem async for problem in inspection.problems()]
    await inspection.close()
    return found


async def change(url: sa.URL, statement: str, **values: object) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        assert (await connection.execute(sa.text(statement), values)).rowcount
    await engine.dispose()


CORRUPTIONS = {
    "position 4 of its log is missing": "DELETE FROM events WHERE position = 4 AND {build}",
    "its log ends at position 11, its head is 14": "DELETE FROM events WHERE position > 11",
    "its log goes on after its head, 3": "UPDATE builds SET head = 3 WHERE {first}",
    "status is 3; its log makes it 2": "UPDATE builds SET status = 3 WHERE {first}",
    "rejected_events is 0; its log makes it 1": "UPDATE builds SET rejected_events = 0",
    "name is 'other'; its log makes it 'b\u2400c'": "UPDATE builds SET name = 'other'",
    f"task {task_id('b')}, attempt is 7; its log makes it 2": (
        "UPDATE build_tasks SET attempt = 7 WHERE ordinal = 2 AND {build}"
    ),
    f"the state of task {task_id('a')} is missing": "DELETE FROM build_tasks WHERE ordinal = 1",
    "the event at position 2: its task is not stored": (
        "UPDATE events SET task_id = 77 WHERE position = 2 AND {build}"
    ),
    "is committed up to 1, but": "UPDATE streams SET watermark = 1",
    f"task {task_id('a')}: it hashes to": "UPDATE tasks SET identity_json = '' WHERE name = 'a'",
    "its content is not what was written": "UPDATE asset_chunks SET ordinal = 9 WHERE ordinal = 0",
    "can't be: the build has ended already": (
        "UPDATE events SET type = 2 WHERE position = 12 AND {build}"
    ),
}


@pytest.mark.parametrize("problem", CORRUPTIONS)
async def test_what_does_not_fit_together_is_found(
    database_url: sa.URL, tmp_path: Path, problem: str
):
    async with running(database_url, tmp_path / "data") as server, server.client() as client:
        await some_builds(client)
    assert await problems(database_url) == []
    first = "id = (SELECT min(id) FROM builds)"
    corruption = CORRUPTIONS[problem].format(first=first, build=f"build_{first}")
    await change(database_url, corruption)
    found = await problems(database_url)
    assert [line for line in found if problem in line], found


async def test_a_copy_made_while_builds_are_written_is_whole(tmp_path: Path):
    copy = tmp_path / "copy.sqlite"
    with ServerProcess(tmp_path / "data") as server:
        async with server.channel() as channel:
            client = Client(channel, server.metadata)
            written = 0

            async def write() -> None:
                nonlocal written
                while True:
                    make = Producer()
                    tasks = [event for number in range(300) for event in make.run(f"t{number}")]
                    await client.publish(make.open, [make.started(), *tasks, make.completed()])
                    written += 1

            async with asyncio.timeout(60):
                writers = [asyncio.create_task(write()) for _ in range(4)]
                while written < 4:
                    await asyncio.sleep(0.01)
                before = written
                done = await asyncio.to_thread(
                    run_command, "backup", str(copy), "--data-dir", str(server.data_dir)
                )
                assert done.returncode == 0, done.stderr
                assert written > before, "builds were written meanwhile"
                for writer in writers:
                    writer.cancel()
                await asyncio.gather(*writers, return_exceptions=True)
        assert not [*tmp_path.glob("copy.sqlite?*")]
        live = await asyncio.to_thread(run_command, "check", "--data-dir", str(server.data_dir))
        assert live.returncode == 0, live.stdout
    url = f"sqlite+aiosqlite:///{copy}"
    checked = run_command("check", "--database-url", url)
    assert checked.returncode == 0, checked.stdout
    assert checked.stdout.startswith("checked ") and checked.stdout.endswith(": nothing wrong\n")
    with contextlib.closing(sqlite3.connect(copy)) as connection:
        [builds] = connection.execute("SELECT count(*) FROM builds").fetchone()
        connection.execute("UPDATE builds SET head = head + 1 WHERE id = 1")
        connection.commit()
    assert builds >= before
    broken = run_command("check", "--database-url", url)
    assert broken.returncode == 1
    assert "its head is 903" in broken.stdout and broken.stdout.endswith(": 1 wrong\n")
    with ServerProcess(tmp_path / "restored", url) as server:
        assert server.terminate() == 0


def test_of_postgresql_it_says_how_to_make_a_dump(tmp_path: Path):
    url = "postgresql://user:secret@db.example:5433/name?ssl=require"
    done = run_command("backup", str(tmp_path / "a file"), "--database-url", url)
    assert done.returncode == 2
    assert (
        f"pg_dump --format=custom '--file={tmp_path}/a file'"
        " postgresql://user@db.example:5433/name" in done.stderr
    )
    assert "secret" not in done.stderr


def test_neither_makes_a_database_that_is_not_there(tmp_path: Path):
    data = ("--data-dir", str(tmp_path / "data"))
    for command in (("check",), ("backup", str(tmp_path / "copy"))):
        done = run_command(*command, *data)
        assert done.returncode == 3 and "there is no database" in done.stderr
    assert [*tmp_path.iterdir()] == []


def test_a_database_is_not_copied_over_itself(sqlite_url: sa.URL):
    file = Path(str(sqlite_url.database))
    before = file.read_bytes()
    url = sqlite_url.render_as_string()
    done = run_command("backup", str(file), "--database-url", url)
    assert done.returncode == 3 and "is the database itself" in done.stderr
    assert file.read_bytes() == before


async def test_a_schema_that_is_not_the_newest_is_said_and_left_as_it_is(
    empty_database_url: sa.URL,
):
    engine = create_async_engine(empty_database_url)
    async with engine.begin() as connection:
        await connection.execute(sa.text("CREATE TABLE alembic_version (version_num TEXT)"))
        await connection.execute(sa.text("INSERT INTO alembic_version VALUES ('from-the-future')"))
    await engine.dispose()
    [problem] = await problems(empty_database_url)
    assert "revision from-the-future" in problem and "stardag-server migrate" in problem


def test_a_damaged_file_is_found(sqlite_url: sa.URL):
    file = Path(str(sqlite_url.database))
    content = bytearray(file.read_bytes())
    content[4096 * 3 : 4096 * 9] = b"\xa5" * (4096 * 6)
    file.write_bytes(content)
    done = run_command("check", "--database-url", sqlite_url.render_as_string())
    assert done.returncode in (1, 3)
    assert "Traceback" not in done.stderr and (done.stdout or done.stderr)
