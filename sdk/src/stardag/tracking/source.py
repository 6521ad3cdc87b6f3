"""Which version of the code runs."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass, replace
from pathlib import Path

_GIT_S = 1.0


@dataclass(frozen=True, slots=True)
class SourceRevision:
    """Version of the code: git's commit hash, its branch, whether it was changed since."""

    commit: str = ""
    ref: str = ""
    dirty: bool = False


def current_revision() -> SourceRevision:
    """Return the revision of the git work tree around the working directory.

    An empty one if there is none, or it can't be read. HEAD and the refs are read anew, which
    takes well under a millisecond. For uncommitted changes git has to look at every file: it is
    asked once in a process, as the code was read when the process began.
    """
    try:
        directory = Path.cwd()
        for parent in (directory, *directory.parents):
            if (parent / ".git").exists():
                head = _read_head(_git_directory(parent / ".git"))
                return replace(head, dirty=_has_changes(parent))
    except (OSError, UnicodeDecodeError):
        pass  # no directory any more, or not git's files as we know them
    return SourceRevision()


@functools.cache
def _has_changes(tree: Path) -> bool:
    """Return whether files that git knows were changed; False if it can't tell within a second."""
    import subprocess  # heavier than all else here

    command = ["git", "-c", "core.fsmonitor=false", "status", "--porcelain"]
    try:
        done = subprocess.run(
            [*command, "--untracked-files=no", "--ignore-submodules"],
            cwd=tree,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_GIT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return bool(done.stdout.strip())


def _git_directory(entry: Path) -> Path:
    if entry.is_dir():
        return entry
    # a linked work tree or a submodule: one line, "gitdir: <path>"
    return (entry.parent / entry.read_text().removeprefix("gitdir:").strip()).resolve()


def _read_head(git: Path) -> SourceRevision:
    head = (git / "HEAD").read_text().strip()
    if not head.startswith("ref:"):
        return SourceRevision(commit=head)
    ref = head.removeprefix("ref:").strip()
    common = git
    if (git / "commondir").exists():
        common = git / (git / "commondir").read_text().strip()
    return SourceRevision(commit=_read_ref(common, ref), ref=ref.removeprefix("refs/heads/"))


def _read_ref(git: Path, ref: str) -> str:
    if (git / ref).exists():
        return (git / ref).read_text().strip()
    if (git / "packed-refs").exists():
        for line in (git / "packed-refs").read_text().splitlines():
            commit, _, name = line.partition(" ")
            if name == ref:
                return commit
    return ""
