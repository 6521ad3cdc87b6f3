"""The token file, and the check of a credential."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stardag_server.auth.token import check_token, ensure_token
from stardag_server.domain.refusals import CredentialInvalid, CredentialMissing


def test_a_token_is_made_once_for_its_owner_only(tmp_path: Path):
    path = tmp_path / "deep" / "token"
    token = ensure_token(path)
    assert len(token) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert ensure_token(path) == token
    assert [file.name for file in path.parent.iterdir()] == ["token"]


def test_servers_that_start_together_agree_on_one_token(tmp_path: Path):
    with ThreadPoolExecutor(8) as pool:
        tokens = list(pool.map(ensure_token, [tmp_path / "token"] * 32))
    assert len(set(tokens)) == 1


def test_an_empty_token_file_is_an_error(tmp_path: Path):
    (tmp_path / "token").touch()
    with pytest.raises(ValueError, match="empty"):
        ensure_token(tmp_path / "token")


def test_a_token_file_that_is_no_text_is_an_error_that_names_it(tmp_path: Path):
    (tmp_path / "token").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=str(tmp_path / "token")):
        ensure_token(tmp_path / "token")


@pytest.mark.parametrize("value", ["Bearer secret", "bearer secret", b"Bearer secret"])
def test_the_right_token_is_let_in(value: str | bytes):
    check_token("secret", [value])


@pytest.mark.parametrize(
    "values",
    [
        ["secret"],
        ["Bearer"],
        ["Bearer secre"],
        ["Basic secret"],
        ["Bearer secret", "x"],
        ["\u00fc"],
    ],
)
def test_anything_else_is_not(values: list[str]):
    with pytest.raises(CredentialInvalid):
        check_token("secret", values)


def test_no_credential_is_told_apart():
    with pytest.raises(CredentialMissing):
        check_token("secret", [])
