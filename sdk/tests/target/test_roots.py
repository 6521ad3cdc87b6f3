"""From names of roots to targets."""

from __future__ import annotations

import pytest

import stardag as sd
from stardag.target import TargetFactory


@pytest.mark.parametrize(
    ("root", "relpath", "uri"),
    [
        ("/data", "a/b.json", "/data/a/b.json"),
        ("/data/", "a", "/data/a"),
        ("file:///data", "a", "/data/a"),
        ("memory://m", "a", "memory://m/a"),
        ("/data", "/full/path", "/full/path"),
        ("/data", "memory://m/x", "memory://m/x"),
    ],
)
def test_a_target_is_below_its_root_unless_its_path_is_full(
    root: str, relpath: str, uri: str
) -> None:
    assert TargetFactory({"default": root}).get_target(relpath).uri == uri


def test_an_unknown_root_is_an_error_that_says_how_to_set_it() -> None:
    factory = TargetFactory({"default": "/d", "cold": "/c"})
    with pytest.raises(sd.ConfigError, match=r"'hot' \(known: cold, default\); set STARDAG_TARGET"):
        factory.get_target("x", "hot")


def test_an_unknown_scheme_is_an_error() -> None:
    with pytest.raises(sd.ConfigError, match="no store for gopher://h/x"):
        TargetFactory({"default": "gopher://h"}).get_target("x")
