"""Removes what nobody needs any more from all spools of a state directory."""

from __future__ import annotations

import logging
import os
import shutil
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from stardag.tracking.spool.delivered import DONE
from stardag.tracking.spool.lease import take_lease
from stardag.tracking.spool.streams import writer_lives

if TYPE_CHECKING:
    from pathlib import Path

_log = logging.getLogger(__name__)

_MAKING_S = 3600.0
"""Age at which a stream that is still being made is taken for left behind."""
_SENDERS = {"sender.json", "sender.log", "sender.new"}
_LOCK = "sender.lock"


def clean(root: Path, retention_s: float) -> None:
    """Remove what has not been touched for so long from the spools in `root`.

    Removed is what was delivered, and a spool that has nothing else and no sender: of settings
    that are used no longer. What builders left that died while they made their stream goes after
    an hour. What can't be removed stays.
    """
    for spool in root.iterdir():
        try:
            for stream in _old(spool / DONE, retention_s):
                shutil.rmtree(stream, ignore_errors=True)
            for partial in _old(spool, _MAKING_S):
                if partial.name.startswith(".") and not writer_lives(partial):
                    shutil.rmtree(partial, ignore_errors=True)
            _remove_unused(spool, retention_s)
        except (FileNotFoundError, NotADirectoryError):
            continue  # somebody else cleans too, or it is no spool
        except OSError as error:
            _log.warning("%s can't be cleaned: %s", spool, error)


def _remove_unused(spool: Path, retention_s: float) -> None:
    """Remove a spool of which all is delivered and forgotten, unless it has a sender.

    A builder that is about to use it finds it gone and makes it again; one that has begun keeps
    its directory, as only an empty one can be removed.
    """
    if not _is_unused(spool, retention_s):
        return
    lease = take_lease(spool, "sync")
    if lease is None:
        return
    try:
        if {entry.name for entry in os.scandir(spool)} <= {*_SENDERS, _LOCK, DONE}:
            with suppress(FileNotFoundError):
                (spool / DONE).rmdir()
            for name in (*_SENDERS, _LOCK):
                (spool / name).unlink(missing_ok=True)
            spool.rmdir()
            _log.info("%s is removed, as nothing was written there for long", spool)
    finally:
        lease.release()


def _is_unused(spool: Path, retention_s: float) -> bool:
    names = {path.name for path in _old(spool, retention_s)}
    return (
        names == {entry.name for entry in os.scandir(spool)}
        and names <= {*_SENDERS, _LOCK, DONE}
        and not _old(spool / DONE, 0.0)
    )


def _old(directory: Path, age_s: float) -> list[Path]:
    """Return what of a directory was not changed for so long; nothing if it is not there."""
    try:
        entries = list(os.scandir(directory))
    except FileNotFoundError:
        return []
    return [
        directory / entry.name
        for entry in entries
        if time.time() - entry.stat(follow_symlinks=False).st_mtime > age_s
    ]
