"""What goes wrong on a local disk: it is full, a process is killed, files vanish."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import stardag as sd
from stardag.target.serialize import BytesSerializer


def left_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.rglob("*") if path.is_file())


WRITE_TOO_MUCH = """
import resource, signal, sys, traceback
import stardag as sd
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
target = sd.LocalTarget(sys.argv[1])
try:
    match sys.argv[2]:
        case "path":
            with target.proxy_path("w") as path:
                path.write_bytes(b"x" * 2000)
        case mode:
            with target.open(mode) as file:
                file.write("x" * 2000 if mode == "w" else b"x" * 2000)
except OSError:
    print(traceback.format_exc())
"""


@pytest.mark.parametrize("way", ["w", "wb", "path"])
def test_a_disk_without_room_is_an_error_that_says_for_what(way: str, tmp_path: Path) -> None:
    path = tmp_path / "out/object"
    done = subprocess.run(
        [sys.executable, "-c", WRITE_TOO_MUCH, str(path), way],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "File too large" in done.stdout
    assert f"while {path} was being written" in done.stdout
    assert left_in(tmp_path) == []


WRITE_SLOWLY = """
import sys
import stardag as sd
with sd.LocalTarget(sys.argv[1]).open("wb") as file:
    file.write(b"half")
    file.flush()
    print("written", flush=True)
    sys.stdin.read()
"""


def test_a_writer_that_is_killed_leaves_nothing_that_is_read(tmp_path: Path) -> None:
    target = sd.LocalTarget(tmp_path / "object", BytesSerializer())
    command = [sys.executable, "-c", WRITE_SLOWLY, str(target.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
    assert not target.exists()
    with pytest.raises(sd.TargetNotFoundError):
        target.load()
    target.save(b"whole")
    assert target.load() == b"whole"


def test_an_error_is_the_blocks_own_though_its_file_vanished(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="own"), sd.LocalTarget(tmp_path / "o").open("wb"):
        next(tmp_path.glob(".*.partial")).unlink()
        raise RuntimeError("own")


def test_a_file_where_a_folder_must_be_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    target = sd.LocalTarget(tmp_path / "file/object", BytesSerializer())
    assert not target.exists()
    with pytest.raises(NotADirectoryError, match="file"):
        target.save(b"")


REPLACE = """
import sys
import stardag as sd
from stardag.target.serialize import BytesSerializer
target = sd.LocalTarget(sys.argv[1], BytesSerializer())
for i in range(200):
    target.save(sys.argv[2].encode() * (100_000 + i))
"""


def test_processes_that_replace_an_object_are_always_read_whole(tmp_path: Path) -> None:
    target = sd.LocalTarget(tmp_path / "object", BytesSerializer())
    target.save(b"0")
    command = [sys.executable, "-c", REPLACE, str(target.path)]
    writers = [subprocess.Popen([*command, letter]) for letter in "ab"]
    seen: set[bytes] = set()
    while any(writer.poll() is None for writer in writers):
        content = target.load()
        assert len(set(content)) == 1
        seen.add(content[:1])
    assert [writer.wait() for writer in writers] == [0, 0]
    assert seen & {b"a", b"b"}
    assert left_in(tmp_path) == ["object"]
