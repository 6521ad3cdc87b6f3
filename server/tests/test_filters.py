"""What filters mean, and what they are refused for: where, and what was expected."""

import re

import pytest

from stardag_server.domain.filter_fields import BUILD_FIELDS, TASK_FIELDS
from stardag_server.domain.filters import All, Any, Comparison, Not, parse
from stardag_server.domain.patterns import PatternInvalid, portable
from stardag_server.domain.refusals import FilterInvalid


def refusal(text: str) -> FilterInvalid:
    with pytest.raises(FilterInvalid) as caught:
        parse(text, TASK_FIELDS)
    return caught.value


def named(name: str) -> Comparison:
    return Comparison("name", (), "=", name)


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_an_empty_filter_is_none(text: str):
    assert parse(text, TASK_FIELDS) is None


def test_not_binds_tightest_then_and_then_or():
    found = parse("NOT name = a AND name = b OR name = c", TASK_FIELDS)
    assert found == Any((All((Not(named("a")), named("b"))), named("c")))
    found = parse("NOT (name = a AND (name = b OR name = c))", TASK_FIELDS)
    assert found == Not(All((named("a"), Any((named("b"), named("c"))))))


def test_names_may_begin_as_operators_do():
    assert parse("name = ANDROID OR name = NOTE", TASK_FIELDS) == Any(
        (named("ANDROID"), named("NOTE"))
    )
    assert parse("NOT NOT name = OR_1", TASK_FIELDS) == named("OR_1")


def test_a_path_leads_into_parameters_by_keys_and_indexes():
    found = parse(r'params.model."a b\n"[0].AND_ = null', TASK_FIELDS)
    assert found == Comparison("params", ("model", "a b\n", 0, "AND_"), "=", None)


def test_times_and_durations_are_microseconds_and_enums_numbers():
    assert parse('start_time >= "1970-01-01T01:00:01.5+01:00"', TASK_FIELDS) == Comparison(
        "start_time", (), ">=", 1_500_000
    )
    assert parse("duration > 0.5", TASK_FIELDS) == Comparison("duration", (), ">", 500_000)
    assert parse("status = COMPLETED", BUILD_FIELDS) == Comparison("status", (), "=", 2)


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("foo = 1", 0, "name"),
        ("name = a AND foo = 1", 13, "name"),
        ("name = ", 7, "a quoted text"),
        ('name = "a', 7, ""),
        ("name == a", 6, "a name"),
        ("(name = a", 9, ")"),
        ("name = a)", 8, "the end"),
        ("AND", 0, "NOT"),
        ("name = a name", 9, "AND"),
        ("name = 1", 7, "a text"),
        ('name = "\\ud800"', 7, ""),
        ('name = "\\x"', 7, ""),
        ("status = NOPE", 9, "FAILED"),
        ("status < FAILED", 7, "FAILED"),
        ("params.a < null", 9, ""),
        ("attempt = a", 10, "a number"),
        ("attempt = 1e999999", 10, "a number"),
        ("start_time > 2026", 13, "RFC 3339"),
        ('start_time > "2026-01-01T00:00:00"', 13, "with a zone"),
        ('start_time > "2026-02-30T00:00:00Z"', 13, "with a zone"),
        ("task_id = nope", 10, "UUID"),
        ("name.x = a", 0, ""),
        ("params = 1", 7, ""),
        ('name ~ "(a"', 7, ""),
        ("name ~ 1", 7, ""),
        ("(" * 17 + "name = a" + ")" * 17, 16, ""),
        (" AND ".join(["name = a"] * 33), 32 * 13, ""),
        ("name = " + "a" * 5_000, 4_096, ""),
        ("NOT " * 1_000, 4_000, "a name"),
    ],
)
def test_what_can_not_be_is_refused_where_it_is(text: str, position: int, expected: str):
    refused = refusal(text)
    assert refused.metadata["position"] == str(position), refused.message
    assert expected in refused.metadata["expected"]


def test_a_long_row_of_nots_is_no_burden():
    assert parse("NOT " * 1_000 + "name = a", TASK_FIELDS) == named("a")


@pytest.mark.parametrize(
    ("pattern", "matches", "does_not"),
    [
        ("a.c", "xa\ncx", "ac"),
        ("^a", "ab", "x\na"),
        ("a$", "ba", "a\n"),
        (r"^[\d_]+$", "1_2", "\u0661"),
        (r"^\w{2,3}$", "ab", "é"),
        (r"[^\s\-]", "x", " -"),
        ("(ab|c)?d", "abd", "ab"),
        (r"\.\*\[", ".*[", "xx["),
        ("", "", None),
    ],
)
def test_patterns_match_somewhere(pattern: str, matches: str, does_not: str | None):
    assert re.search(portable(pattern), matches)
    assert does_not is None or not re.search(portable(pattern), does_not)


@pytest.mark.parametrize(
    "pattern",
    [
        "(?=a)",
        "a*?",
        "a++",
        r"(a)\1",
        r"\b",
        "[",
        "[]",
        "a{3,2}",
        "a{256}",
        "[z-a]",
        "(a+)+",
        "((a|b*)c)*",
        "x" * 257,
        "*a",
        "[[:alpha:]]",
    ],
)
def test_other_patterns_are_refused(pattern: str):
    with pytest.raises(PatternInvalid):
        portable(pattern)
