"""Keeps secrets out of what is recorded, and texts within their bounds.

Redacted are: passwords in URLs; credentials in the well-known forms of their issuers;
and the values of names that say they are secret (`password`, `api_key`, `secret`,
`access_token`, ...), whether written `name=value`, `name: value` or as JSON. Values that
Pydantic has masked already stay as they are. A name such as `max_tokens` or
`sort_key` is not taken for a secret.

There are two sets of rules, as what is lost by a mistake differs. A task's definition is
lost whole, so what it has must be a secret beyond doubt: `eos_token` is none. Of a text
or a URI only the place is lost, so there everything goes that may be one.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

MASK = "**********"

# How names end that say they are secret; what comes before, as in `db_password`, is free.
_NAME = (
    r"(?:password|passwd|passphrase|secret|credentials?|(?<![a-z])pwd"
    r"|(?:api|private|secret|access|encryption|signing|account)[_-]?key"
    r"|(?:api|auth|access|refresh|bearer|session|secret)[_-]?token)"
)


class _Rule(NamedTuple):
    """What to replace by what, in texts that have one of the signs in lower case; few do."""

    signs: tuple[str, ...]
    replacements: list[tuple[re.Pattern[str], str]]


# All patterns take time linear in the text: they begin with fixed words, and no
# repetition that may fail can start at every position and run on to the end.
_RULES = [
    # scheme://user:password@host
    _Rule(("@",), [(re.compile(r"(://[^\s/:@\"'\\]*:)[^\s/@\"'\\]+(?=@)"), rf"\1{MASK}")]),
    # what an Authorization header has
    _Rule(
        ("bearer ", "basic "),
        [(re.compile(r"\b(bearer|basic)\s+(?!\*)[\w.~+/=-]{8,}", re.I), rf"\1 {MASK}")],
    ),
    # parts of the words above, each of which is in several
    _Rule(
        ("pass", "pwd", "cre", "ke"),
        [
            # "name": "value", and as Python writes it
            (re.compile(rf'({_NAME}"\s*:\s*)"(?:[^"\\]|\\.)+"', re.I), rf'\1"{MASK}"'),
            (re.compile(rf"({_NAME}'\s*:\s*)'(?:[^'\\]|\\.)+'", re.I), rf"\1'{MASK}'"),
            # name=value and name: value
            (re.compile(rf"({_NAME}\s*[=:]\s*)[^\s&,;\"'\\)}}\]]+", re.I), rf"\1{MASK}"),
            (re.compile(rf'({_NAME}\s*=\s*)"[^"\\]+"', re.I), rf'\1"{MASK}"'),
            (re.compile(rf"({_NAME}\s*=\s*)'[^'\\]+'", re.I), rf"\1'{MASK}'"),
        ],
    ),
    # the forms that issuers give their credentials, ours the last
    _Rule(
        ("eyj", "kia", "asia", "gh", "glpat-", "xox", "sk-", "aiza", "sdk_", "hf_"),
        [
            (
                re.compile(
                    r"\beyJ[\w-]{8,2000}\.[\w-]{8,}\.[\w-]+|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
                    r"|\bgh[opsu]_[A-Za-z0-9]{36,}|\bgithub_pat_\w{22,}|\bglpat-[\w-]{20,}"
                    r"|\bxox[abeoprs]-[\w-]{10,}|\bsk-[\w-]{20,}|\bAIza[\w-]{35}"
                    r"|\bhf_[A-Za-z0-9]{20,}|\bsdk_[\w-]{1,100}_[\w-]{32,}"
                ),
                MASK,
            )
        ],
    ),
]


_BROAD_NAME = r"(?:token|signature|(?<![a-z])(?:pass|sig|auth))"

# What may be a secret, and in a text nobody misses if it is none.
_BROAD_RULES = [
    # https://token@host
    _Rule(("@",), [(re.compile(r"(https?://)[^\s/:@\"'\\]+(?=@)", re.I), rf"\1{MASK}")]),
    # the whole of a header, but for the name of its scheme
    _Rule(
        ("authorization",),
        [
            (
                re.compile(
                    r"(authorization[\"']?\s*[=:]\s*[\"']?"
                    r"(?:(?:token|bearer|basic|digest|api-?key|negotiate)\s+)?)[^\r\n\"'\\]+",
                    re.I,
                ),
                rf"\1{MASK}",
            )
        ],
    ),
    _Rule(
        ("token", "signature", "pass", "sig", "auth"),
        [
            (re.compile(rf'({_BROAD_NAME}"\s*:\s*)"(?:[^"\\]|\\.)+"', re.I), rf'\1"{MASK}"'),
            (re.compile(rf"({_BROAD_NAME}'\s*:\s*)'(?:[^'\\]|\\.)+'", re.I), rf"\1'{MASK}'"),
            (re.compile(rf"({_BROAD_NAME}\s*=\s*)[^\s&,;\"'\\)}}\]]+", re.I), rf"\1{MASK}"),
            (re.compile(rf'({_BROAD_NAME}\s*=\s*)"[^"\\]+"', re.I), rf'\1"{MASK}"'),
            (re.compile(rf"({_BROAD_NAME}\s*=\s*)'[^'\\]+'", re.I), rf"\1'{MASK}'"),
        ],
    ),
    # a key in PEM form; one whose end is cut off goes to the end of the text
    _Rule(
        ("private key-----",),
        [
            (
                re.compile(
                    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----"
                    r"(?:.*?-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|.*)",
                    re.S,
                ),
                MASK,
            )
        ],
    ),
]


def redact(text: str) -> str:
    """Return `text` with `MASK` in the place of everything that is a secret beyond doubt.

    Redacting a redacted text changes nothing. JSON stays JSON.
    """
    return _apply(_RULES, text)


def redact_text(text: str) -> str:
    """Return `text`, which people read, with `MASK` in the place of all that may be a secret.

    Redacting a redacted text changes nothing.
    """
    return _apply(_BROAD_RULES, redact(text))


def _apply(rules: list[_Rule], text: str) -> str:
    lower = text.lower()
    for rule in rules:
        for sign in rule.signs:
            if sign in lower:
                for pattern, replacement in rule.replacements:
                    text = pattern.sub(replacement, text)
                break
    return text


_SECRET_OPTION = re.compile(rf"--?[\w-]*(?:{_NAME}|{_BROAD_NAME})", re.I)
_SECRET_NAME = re.compile(rf".*(?:{_NAME}|{_BROAD_NAME})", re.I | re.S)


def redact_value(name: str, value: str) -> str:
    """Return a named value redacted as a text; `MASK` if its name says that it is secret."""
    return MASK if _SECRET_NAME.fullmatch(name) else redact_text(value)


def redact_command(arguments: Sequence[str]) -> str:
    """Return a command line as a shell would take it, redacted as a text.

    Of an option whose name says that it is secret, such as `--api-key`, what follows goes too.
    """
    shown = [
        MASK if _SECRET_OPTION.fullmatch(before) and not argument.startswith("-") else argument
        for before, argument in zip(("", *arguments), arguments, strict=False)
    ]
    return redact_text(shlex.join(shown).replace(f"'{MASK}'", MASK))


def redact_uri(uri: str) -> str:
    """Return `uri` redacted; the same as `redact_text`, but faster for the many without."""
    return redact_text(uri) if "@" in uri or "?" in uri else uri


def cut(text: str, limit: int) -> str:
    """Return `text` with its middle left out, so that its UTF-8 form has at most `limit` bytes.

    Both ends stay, and the gap says how much is missing. `limit` is at least 64.
    """
    if len(text) * 4 <= limit:
        return text
    data = text.encode("utf-8", "replace")
    if len(data) <= limit:
        return text
    keep = (limit - 48) // 2
    head = data[:keep].decode("utf-8", "ignore")
    tail = data[-keep:].decode("utf-8", "ignore")
    return f"{head}\n... {len(data) - 2 * keep} bytes left out ...\n{tail}"


def presentable(text: str, limit: int) -> str:
    """Return `text` redacted and cut to `limit` bytes."""
    # a first, coarse cut bounds the time that redaction takes; what it leaves is a
    # multiple of what stays, so that a secret it divides is not at the visible ends
    return cut(redact_text(cut(text, 4 * limit)), limit)
