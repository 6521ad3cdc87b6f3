"""What of a task's parameters is searched: the same values, but what no database takes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stardag_server.domain.parameters import searchable

_texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
_numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
_params = st.dictionaries(
    _texts,
    st.recursive(
        st.none() | st.booleans() | _numbers | _texts,
        lambda deeper: st.lists(deeper) | st.dictionaries(_texts, deeper),
        max_leaves=8,
    ),
)


@given(_params, st.booleans())
def test_what_any_database_takes_is_searched_as_it_is(params: dict[str, object], ascii: bool):
    text = json.dumps(params, ensure_ascii=ascii)
    assert json.loads(searchable(text)) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "searched"),
    [
        (r'{"x":"a\u0000b"}', {"x": "a\u2400b"}),
        (r'{"x":"\uD83D"}', {"x": "\ufffd"}),
        (r'{"x":"\ud83d\ude00"}', {"x": "\U0001f600"}),
        ('{"x":NaN,"y":-Infinity}', {"x": None, "y": None}),
        ('{"x":1e999,"y":1E+99}', {"x": None, "y": 1e99}),
        ('{"x":1e-9999}', {"x": 0.0}),
        ('{"x":0.1000000000000000055511151231257827}', {"x": 0.1}),
        ('{"x":%s}' % ("9" * 301), {"x": None}),
        ('{"x":%s}' % ("9" * 30), {"x": int("9" * 30)}),
        ("[1]", {}),
        ('"x"', {}),
        ('{"x":', {}),
        ("[" * 100_000, {}),
        ("", {}),
    ],
)
def test_what_no_database_takes_is_cut(text: str, searched: object):
    assert json.loads(searchable(text)) == searched
