"""What tracking prints, and that a program's standard error can't make it fail a build."""

from __future__ import annotations

import sys
from uuid import UUID

import pytest

from stardag.tracking.notices import Notices

BUILD = UUID(int=1)


class _WritesOnly:
    """A program's own standard error, without `flush`, as logging wrappers often are."""

    def write(self, text: str) -> int:
        return len(text)


def test_a_standard_error_that_is_no_whole_file_raises_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stderr", _WritesOnly())
    notices = Notices("127.0.0.1:1", quiet=False)
    notices.build_started(BUILD)
    notices.failed(ValueError("x"))


def test_without_a_standard_error_nothing_is_said_on_standard_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    Notices("127.0.0.1:1", quiet=False).build_started(BUILD)
    assert capsys.readouterr().out == ""
