"""Processes that are paused while they hold a lease: fenced, no write is lost."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

WRITER = Path(__file__).with_name("fenced_writer.py")
WRITERS, ADDITIONS = 3, 4


def run_writers(url: sa.URL, file: Path, fenced: bool) -> tuple[int, int]:
    """Run writers at once; return what the number is then, and how many writes were refused.

    Whoever pauses goes on when another has written, or nobody else can.
    """
    with closing(sqlite3.connect(file, isolation_level=None)) as resource:
        resource.execute("PRAGMA journal_mode = WAL")
        resource.execute("CREATE TABLE resource AS SELECT 0 AS number, 0 AS token")
        text = url.render_as_string(hide_password=False)
        command = [sys.executable, str(WRITER), text, str(file), str(ADDITIONS), str(int(fenced))]
        writers = [
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(WRITERS)
        ]
        paused: dict[int, int] = {}
        ended: set[int] = set()
        while len(ended) < WRITERS:
            (token,) = resource.execute("SELECT token FROM resource").fetchone()
            for pid in [writer.pid for writer in writers if writer.pid not in ended]:
                seen = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if seen is None or seen.si_pid == 0:
                    continue
                if seen.si_code != os.CLD_STOPPED:
                    ended.add(pid)
                elif pid not in paused:
                    paused[pid] = token
                elif token != paused[pid] or len(paused) + len(ended) == WRITERS:
                    del paused[pid]
                    os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG)
                    os.kill(pid, signal.SIGCONT)
            time.sleep(0.02)
        (number,) = resource.execute("SELECT number FROM resource").fetchone()
    said = [writer.communicate(timeout=60)[0] for writer in writers]
    assert not any(writer.returncode for writer in writers)
    return number, sum(map(int, said))


def test_what_paused_processes_write_is_never_lost(database_url: sa.URL, tmp_path: Path):
    number, refused = run_writers(database_url, tmp_path / "fenced.sqlite", fenced=True)
    assert number == WRITERS * ADDITIONS
    assert refused > 0


def test_without_fencing_it_is(sqlite_url: sa.URL, tmp_path: Path):
    number, refused = run_writers(sqlite_url, tmp_path / "unfenced.sqlite", fenced=False)
    assert number < WRITERS * ADDITIONS
    assert refused == 0
