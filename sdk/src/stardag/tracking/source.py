"""Which version of the code runs, as far as files tell without starting a process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SourceRevision:
    """Version of the code: git's commit hash, its branch, whether it was changed since."""

    commit: str = ""
    ref: str = ""
    dirty: bool = False


def current_revision() -> SourceRevision:
    """Return the revision of the git work tree around the working directory.

    An empty one if there is none, or it can't be read. Only HEAD and the refs are looked
    at, which takes well under a millisecond. Whether there are uncommitted changes would
    need git to look at every file, so `dirty` is never set here.
    """
    try:
        directory = Path.cwd()
        for parent in (directory, *directory.parents):
            if (parent / ".git").exists():
                return _read_head(_git_directory(parent / ".git"))
    except (OSError, UnicodeDecodeError):
        pass  # no directory any more, or not git's files as we know them
    return SourceRevision()


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
