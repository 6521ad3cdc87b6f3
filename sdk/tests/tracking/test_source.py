"""The version of the code, as git's files tell it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from stardag.tracking import source
from stardag.tracking.source import SourceRevision, current_revision


def git(directory: Path, *arguments: str) -> str:
    who = ("-c", "user.name=me", "-c", "user.email=me@example.org")
    return subprocess.run(
        ["git", *who, *arguments], cwd=directory, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    repository = tmp_path / "repository"
    (repository / "deep" / "down").mkdir(parents=True)
    git(repository, "init", "-q", "-b", "main")
    git(repository, "commit", "-q", "--allow-empty", "-m", "first")
    monkeypatch.chdir(repository / "deep" / "down")
    return repository


def test_commit_and_branch_are_those_of_the_work_tree_around(repository: Path) -> None:
    assert current_revision() == SourceRevision(git(repository, "rev-parse", "HEAD"), "main")
    git(repository, "checkout", "-q", "-b", "topic/x")
    git(repository, "commit", "-q", "--allow-empty", "-m", "second")
    assert current_revision() == SourceRevision(git(repository, "rev-parse", "HEAD"), "topic/x")


def test_packed_refs_are_read(repository: Path) -> None:
    git(repository, "pack-refs", "--all")
    assert current_revision() == SourceRevision(git(repository, "rev-parse", "HEAD"), "main")


def test_a_detached_head_has_no_branch(repository: Path) -> None:
    git(repository, "checkout", "-q", "--detach")
    assert current_revision() == SourceRevision(git(repository, "rev-parse", "HEAD"), "")


def test_a_linked_work_tree_has_its_own_head(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(repository, "worktree", "add", "-q", "-b", "other", str(tmp_path / "linked"))
    monkeypatch.chdir(tmp_path / "linked")
    assert current_revision() == SourceRevision(git(repository, "rev-parse", "HEAD"), "other")


def test_without_a_work_tree_or_a_directory_there_is_no_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert current_revision() == SourceRevision()
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert current_revision() == SourceRevision()
    monkeypatch.chdir(tmp_path)


def test_uncommitted_changes_are_noted_and_untracked_files_are_none(repository: Path) -> None:
    (repository / "model.py").write_text("a = 1\n")
    git(repository, "add", "model.py")
    git(repository, "commit", "-q", "-m", "a model")
    (repository / "notes.txt").write_text("not git's\n")
    source._has_changes.cache_clear()
    assert not current_revision().dirty
    (repository / "model.py").write_text("a = 2\n")
    source._has_changes.cache_clear()
    assert current_revision().dirty


def test_without_git_nothing_is_said_of_changes(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    monkeypatch.setenv("PATH", "/nowhere")
    source._has_changes.cache_clear()
    assert current_revision() == SourceRevision(commit, "main", dirty=False)
