"""One process delivers a spool, and only a sender is ever asked to leave."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from stardag.tracking.spool.lease import Holder, dismiss_sender, take_lease
from stardag.tracking.spool.streams import boot_id

from .waiting import until


def test_one_has_it_and_then_the_next(tmp_path: Path) -> None:
    first = take_lease(tmp_path, "sender")
    assert first is not None
    assert json.loads((tmp_path / "sender.lock").read_text()) == asdict(
        Holder(os.getpid(), boot_id(), "sender")
    )
    assert take_lease(tmp_path, "sync") is None
    first.release()
    assert (tmp_path / "sender.lock").read_text() == ""
    second = take_lease(tmp_path, "sync")
    assert second is not None
    second.release()


@pytest.mark.parametrize(
    ("argument", "role", "boot", "leaves"),
    [
        ("stardag.tracking.sender", "sender", boot_id(), True),
        ("anything else, with a dead sender's pid", "sender", boot_id(), False),
        ("stardag.tracking.sender", "sync", boot_id(), False),
        ("stardag.tracking.sender", "sender", "another boot", False),
    ],
)
def test_nobody_is_asked_to_leave_but_a_sender(
    tmp_path: Path, argument: str, role: str, boot: str, leaves: bool
) -> None:
    script = "import sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script, argument], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        holder = {"pid": process.pid, "boot_id": boot, "role": role}
        (tmp_path / "sender.lock").write_text(json.dumps(holder))
        dismiss_sender(tmp_path)
        if leaves:
            until(lambda: process.poll() is not None)
        process.communicate()
    assert (process.returncode != 0) is leaves


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', '"x"'])
def test_a_holder_that_does_not_say_who_it_is_is_left_alone(tmp_path: Path, content: str) -> None:
    (tmp_path / "sender.lock").write_text(content)
    dismiss_sender(tmp_path)
