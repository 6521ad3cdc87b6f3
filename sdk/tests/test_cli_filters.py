"""From options to a filter of the contract, and the filter is one that the server takes."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from stardag import ConfigError
from stardag.cli.lists import filters
from stardag_server.domain.filter_fields import BUILD_FIELDS, TASK_FIELDS
from stardag_server.domain.filters import parse

NOW = datetime(2026, 1, 31, 12)


def test_all_that_is_asked_for_has_to_hold() -> None:
    assert filters.both("", "  ") == ""
    assert filters.both("a = 1 OR b = 2", "") == "a = 1 OR b = 2"
    assert filters.both("a = 1 OR b = 2", "c = 3") == "(a = 1 OR b = 2) AND (c = 3)"


@pytest.mark.parametrize("text", ['say "hi"', "a\\b", "ü\n", "AND", ""])
def test_any_text_is_taken_as_it_is(text: str) -> None:
    assert parse(filters.equals("name", text), BUILD_FIELDS)
    assert parse(filters.labelled(f"team.x={text}"), BUILD_FIELDS)
    assert parse(filters.parametrized(f"model.x[0]={text}"), TASK_FIELDS)


@pytest.mark.parametrize(
    ("pair", "filter"),
    [
        ("lr=0.1", "params.lr = 0.1"),
        ("lr=true", "params.lr = true"),
        ("lr=null", "params.lr = null"),
        ("lr=abc", 'params.lr = "abc"'),
        ('lr="1"', 'params.lr = "1"'),
        ("a.b[0]=x=y", 'params.a.b[0] = "x=y"'),
    ],
)
def test_a_parameter_is_what_it_reads_as(pair: str, filter: str) -> None:
    assert filters.parametrized(pair) == filter
    assert parse(filter, TASK_FIELDS)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_of_a_filter_is_a_text(number: str) -> None:
    assert filters.parametrized(f"lr={number}") == f'params.lr = "{number}"'


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90s", NOW - timedelta(seconds=90)),
        ("30m", NOW - timedelta(minutes=30)),
        ("6h", NOW - timedelta(hours=6)),
        ("7d", NOW - timedelta(days=7)),
        ("2w", NOW - timedelta(weeks=2)),
        ("2026-01-30", datetime(2026, 1, 30)),
        ("2026-01-30T08:15", datetime(2026, 1, 30, 8, 15)),
        ("2026-01-30T08:15:00+02:00", datetime.fromisoformat("2026-01-30T08:15:00+02:00")),
    ],
)
def test_since_is_a_span_or_a_moment(text: str, moment: datetime) -> None:
    filter = filters.since("start_time", text, NOW)
    assert filter == f'start_time >= "{moment.astimezone().isoformat()}"'
    assert parse(filter, BUILD_FIELDS)


@pytest.mark.parametrize("text", ["yesterday", "7", "7y", "", "999999w", "2026-02-30"])
def test_another_since_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match="2026-01-31T08:00"):
        filters.since("start_time", text, NOW)


@pytest.mark.parametrize("pair", ["team", "=x", ""])
def test_a_label_without_a_key_or_a_value_is_refused(pair: str) -> None:
    with pytest.raises(ConfigError, match=r"write --label .*=value"):
        filters.labelled(pair)


def test_a_parameter_that_is_a_list_is_refused_with_what_to_ask_for() -> None:
    with pytest.raises(ConfigError, match=r"values\[0\]="):
        filters.parametrized("values=[1, 2]")
