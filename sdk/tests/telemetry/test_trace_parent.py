"""The W3C's form of a span's place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stardag.telemetry.trace_parent import TraceParent, parse_trace_parent

EXAMPLE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.booleans())
def test_what_is_written_is_read_back(trace_id: int, span_id: int, sampled: bool) -> None:
    place = TraceParent(trace_id, span_id, sampled)
    assert parse_trace_parent(str(place)) == place


@pytest.mark.parametrize("text", [EXAMPLE, f" {EXAMPLE} ", f"cc{EXAMPLE[2:]}-more"])
def test_the_example_of_the_specification_is_read_in_any_version(text: str) -> None:
    place = parse_trace_parent(text)
    assert place == (0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7, True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        EXAMPLE.upper(),
        EXAMPLE[:-1],
        f"{EXAMPLE}-more",
        f"ff{EXAMPLE[2:]}",
        f"00-{0:032x}-00f067aa0ba902b7-01",
        f"00-4bf92f3577b34da6a3ce929d0e0e4736-{0:016x}-01",
    ],
)
def test_anything_else_is_none(text: str) -> None:
    assert parse_trace_parent(text) is None
