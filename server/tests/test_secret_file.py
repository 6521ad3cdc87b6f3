"""Secrets in files."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stardag_server.auth.secret_file import ensure_secret


def test_a_token_is_made_once_for_its_owner_only(tmp_path: Path):
    path = tmp_path / "deep" / "token"
    token = ensure_secret(path)
    assert len(token) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert ensure_secret(path) == token
    assert [file.name for file in path.parent.iterdir()] == ["token"]


def test_servers_that_start_together_agree_on_one_token(tmp_path: Path):
    with ThreadPoolExecutor(8) as pool:
        tokens = list(pool.map(ensure_secret, [tmp_path / "token"] * 32))
    assert len(set(tokens)) == 1


def test_an_empty_token_file_is_an_error(tmp_path: Path):
    (tmp_path / "token").touch()
    with pytest.raises(ValueError, match="empty"):
        ensure_secret(tmp_path / "token")


def test_a_token_file_that_is_no_text_is_an_error_that_names_it(tmp_path: Path):
    (tmp_path / "token").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=str(tmp_path / "token")):
        ensure_secret(tmp_path / "token")
