"""The right to deliver a spool: a lock that one process has, and who that is.

<spool>/sender.lock is locked (flock) by whoever delivers, who also writes its identity
into it, and clears that when it lets go.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from stardag.tracking.spool.streams import boot_id

Role = Literal["sender", "sync"]

_ATTEMPTS, _PAUSE_S = 10, 0.02
_SENDER = b"stardag.tracking.sender"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who delivers a spool."""

    pid: int
    boot_id: str
    role: Role


class Lease:
    """The right to deliver one spool, until `release` or this process's end."""

    def __init__(self, path: Path, lock: int) -> None:
        """Hold the locked file `lock`, which is at `path`; use `take_lease` instead."""
        self._path = path
        self._lock = lock

    @property
    def is_known(self) -> bool:
        """Whether others find the spool taken; not, if it was removed and made again."""
        return _is_at(self._path, self._lock)

    def release(self) -> None:
        """Let another have it."""
        with suppress(OSError):  # a name that stays is of one who has no lock
            os.ftruncate(self._lock, 0)
        os.close(self._lock)


def take_lease(spool: Path, role: Role) -> Lease | None:
    """Return the right to deliver `spool`, or None if another has it. Raises `OSError`."""
    path = spool / "sender.lock"
    lock = _open(path)
    for _ in range(_ATTEMPTS):
        if not _lock(lock):
            time.sleep(_PAUSE_S)  # those who only look if it is taken hold it for a moment
            continue
        if not _is_at(path, lock):  # removed meanwhile, with the spool
            os.close(lock)
            lock = _open(path)
            continue
        with suppress(OSError):  # on a full disk it can't be asked to leave, and that is all
            os.ftruncate(lock, 0)
            os.pwrite(lock, json.dumps(asdict(Holder(os.getpid(), boot_id(), role))).encode(), 0)
        return Lease(path, lock)
    os.close(lock)
    return None


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(path: Path, file: int) -> bool:
    """Return whether others find this file at `path`."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False


def dismiss_sender(spool: Path) -> None:
    """Ask the sender that delivers `spool` to leave; nobody else is ever signalled."""
    holder = _read_holder(spool)
    if holder is None or holder.role != "sender" or holder.boot_id != boot_id():
        return
    with suppress(OSError):  # it has left by itself
        if _is_sender(holder.pid):
            os.kill(holder.pid, signal.SIGTERM)


def _read_holder(spool: Path) -> Holder | None:
    try:
        return Holder(**json.loads((spool / "sender.lock").read_bytes()))
    except (OSError, ValueError, TypeError):
        return None  # nobody, or somebody who is just coming or going


def _is_sender(pid: int) -> bool:
    """Return whether `pid` is a sender, as far as this system tells. Raises `OSError`."""
    if not Path("/proc/self").exists():
        return True
    return _SENDER in Path(f"/proc/{pid}/cmdline").read_bytes()


def sender_runs(spool: Path) -> bool:
    """Return whether the spool has a sender, or one that is just starting."""
    try:
        lock = os.open(spool / "sender.lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(lock)
