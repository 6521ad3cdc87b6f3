"""Ids of builds sort by when they were made, whatever the clock says."""

from __future__ import annotations

import time

import pytest

from stardag._uuid7 import uuid7


@pytest.mark.parametrize("seconds", [-1, 0, 1_800_000_000])
def test_an_id_has_the_time_or_the_nearest_there_is(
    seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: seconds * 10**9)
    made = uuid7()
    assert made.int >> 80 == max(0, seconds) * 1000
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
