"""No secret is recorded, and what is none stays readable."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stardag.tracking.redaction import (
    MASK,
    cut,
    presentable,
    redact,
    redact_command,
    redact_text,
    redact_uri,
)

SECRET = "hunter2-s3cr3t"


@pytest.mark.parametrize(
    "text",
    [
        f"could not connect to postgresql://me:{SECRET}@db:5432/x",
        f"redis://:{SECRET}@cache/0",
        f"password={SECRET}",
        f"PASSWORD: {SECRET}",
        f"db_password='{SECRET}'",
        f"GET /?api_key={SECRET}&x=1",
        f'{{"api_key": "{SECRET}"}}',
        f"{{'aws_secret_access_key': '{SECRET}'}}",
        f"Authorization: Bearer {SECRET}",
        f"auth_token={SECRET};",
        f'client_secret="{SECRET}"',
    ],
)
def test_a_secret_is_masked(text: str) -> None:
    redacted = redact(text)
    assert SECRET not in redacted
    assert MASK in redacted


PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    "text",
    [
        f"HF_TOKEN={SECRET}",
        f"token={SECRET}, and more",
        f"https://acct.blob/x?sv=1&sig={SECRET}&x=1",
        f"https://b.s3/x?X-Amz-Signature={SECRET}",
        f"fatal: https://{SECRET}@github.com/x",
        f"Authorization: Token {SECRET}",
        f"{{'Authorization': 'Token {SECRET}'}}",
        f"Authorization: {SECRET}",
        f"DB_PASS={SECRET}",
        f"{{'token': '{SECRET}'}}",
        f"before {PEM} after",
        PEM[:60],
    ],
)
def test_what_may_be_a_secret_is_masked_in_a_text_and_not_in_a_definition(text: str) -> None:
    shown = presentable(text, 4096)
    assert SECRET not in shown
    assert MASK in shown
    assert redact_text(shown) == shown
    assert redact(text) == text
    if text.startswith("https:"):
        assert SECRET not in redact_uri(text)


@pytest.mark.parametrize(
    "text", ["KeyError: 'token'", "max_tokens=512", "unexpected token: }", "passes=3", "design=x"]
)
def test_what_only_sounds_like_a_secret_stays_in_a_text(text: str) -> None:
    assert redact_text(text) == text


@given(st.text() | st.from_regex(r"(authorization|token|sig)[=:] ?(token )?\S*( https://\S*@x)?"))
def test_redacting_a_text_twice_is_redacting_it_once(text: str) -> None:
    once = redact_text(text)
    assert redact_text(once) == once


@pytest.mark.parametrize(
    "token",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_" + "a1B2" * 9,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
        "hf_abcdefghijklmnopqrstuv",
        "sk-abcdefghijklmnopqrstuvwx",
        "sdk_k1_" + "x" * 43 + "_abcd",
    ],
)
def test_a_credential_is_known_by_its_form(token: str) -> None:
    assert redact(f"refused: {token}!") == f"refused: {MASK}!"


@pytest.mark.parametrize(
    "text",
    [
        '{"max_tokens":512,"sort_key":"name","tokenizer":"bpe","passes":3}',
        "KeyError: 'token'",
        '{"eos_token":"</s>","sig":"x"}',
        "s3://bucket/secret/file.json",
        "http://127.0.0.1:8080/path@x",
        "the password is wrong",
        '{"password":"**********"}',
        "a key: value",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


@given(st.text() | st.from_regex(r"(password|api_key|token)[=:] ?\S*( \S+://\S*@\S*)?"))
def test_redacting_twice_is_redacting_once(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@given(
    st.recursive(
        st.text() | st.integers(),
        lambda inner: (
            st.dictionaries(st.sampled_from(["password", "url", "api_key", "x"]), inner, max_size=3)
            | st.lists(inner, max_size=3)
        ),
    )
)
def test_json_stays_json_of_the_same_shape(value: object) -> None:
    redacted = json.loads(redact(json.dumps(value)))
    assert type(redacted) is type(value)
    assert names(redacted) == names(value)


def names(value: Any) -> list[str]:
    """Return the names in a JSON value, at any depth, in order."""
    if isinstance(value, dict):
        found = cast("dict[str, Any]", value)
        return [name for key, inner in found.items() for name in (key, *names(inner))]
    if isinstance(value, list):
        return [name for inner in cast("list[Any]", value) for name in names(inner)]
    return []


@given(st.text(), st.integers(64, 400))
def test_a_cut_text_fits_and_keeps_both_ends(text: str, limit: int) -> None:
    shown = cut(text * 20, limit)
    assert len(shown.encode("utf-8", "replace")) <= limit
    if shown != text * 20:
        assert shown[:2] == (text * 20)[:2]
        assert "bytes left out" in shown


def test_a_huge_text_is_bounded_before_it_is_searched() -> None:
    shown = presentable(f"password={SECRET} " + "password=" * 2_000_000, 4096)
    assert SECRET not in shown
    assert len(shown.encode()) <= 4096
    many = "-----BEGIN PRIVATE KEY-----" * 500_000
    assert len(presentable(many, 32 << 10).encode()) <= 32 << 10


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["python", "a b.py", "--epochs", "3"], "python 'a b.py' --epochs 3"),
        (["tool", "--api-key", "abc123", "run"], f"tool --api-key {MASK} run"),
        (["tool", "--db-password", "hunter2"], f"tool --db-password {MASK}"),
        (["tool", "--password=hunter2"], f"tool --password={MASK}"),
        (["tool", "--token", "--verbose"], "tool --token --verbose"),
        (["tool", "--max-tokens", "10"], "tool --max-tokens 10"),
        (["tool", "postgres://me:pw@db/x"], f"tool postgres://me:{MASK}@db/x"),
    ],
)
def test_of_a_command_line_what_follows_a_secret_option_is_left_out(
    arguments: list[str], shown: str
) -> None:
    assert redact_command(arguments) == shown
