"""Page tokens and cursors: opaque, bound, and never mistaken; parts that fit a message."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stardag.v1.build_pb2 import BUILD_STATUS_COMPLETED, BUILD_STATUS_RUNNING
from stardag.v1.build_service_pb2 import ListBuildsRequest
from stardag.v1.task_pb2 import TaskFailure
from stardag_server.domain import limits
from stardag_server.domain.opaque import seal, unseal
from stardag_server.domain.pages import PageTokens, page_size, parts
from stardag_server.domain.refusals import PageTokenInvalid, RequestInvalid

places = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=3)


@given(st.binary(), places)
def test_a_token_gives_back_its_place(binding: bytes, place: list[int]):
    assert unseal(binding, seal(binding, place), len(place)) == tuple(place)


@given(st.binary(), st.binary(), places)
def test_a_token_of_something_else_is_refused(binding: bytes, other: bytes, place: list[int]):
    assume(binding != other)
    with pytest.raises(ValueError):
        unseal(other, seal(binding, place), len(place))


def test_a_token_in_the_other_alphabet_of_base64_is_refused():
    token = seal(b"", [-1])
    assert "_" in token
    with pytest.raises(ValueError):
        unseal(b"", token.replace("_", "/"), 1)


@given(st.binary(), places, st.data())
def test_a_damaged_token_is_refused(binding: bytes, place: list[int], data: st.DataObject):
    token = seal(binding, place)
    position = data.draw(st.integers(0, len(token) - 1))
    # The last character has bits that do not count.
    assume(position < len(token) - 1)
    character = data.draw(st.characters(codec="ascii"))
    assume(character != token[position])
    with pytest.raises(ValueError):
        unseal(binding, token[:position] + character + token[position + 1 :], len(place))


@given(st.text())
def test_any_other_text_is_refused(text: str):
    with pytest.raises(PageTokenInvalid):
        PageTokens(ListBuildsRequest()).parse(text or "x")


def test_a_page_token_belongs_to_its_query_whatever_the_page_size():
    token = PageTokens(ListBuildsRequest(page_size=3, statuses=[BUILD_STATUS_RUNNING])).make(7)
    again = ListBuildsRequest(page_size=9, page_token=token, statuses=[BUILD_STATUS_RUNNING])
    assert PageTokens(again).parse(token) == 7
    with pytest.raises(PageTokenInvalid):
        PageTokens(ListBuildsRequest(statuses=[BUILD_STATUS_COMPLETED])).parse(token)


def test_page_sizes_are_coerced():
    assert [page_size(asked, 50) for asked in (0, 1, 1_000, 1_001, 2**31 - 1)] == [
        50,
        1,
        1_000,
        1_000,
        1_000,
    ]
    with pytest.raises(RequestInvalid):
        page_size(-1, 50)


@given(st.lists(st.integers(0, 40_000), max_size=60))
def test_parts_hold_everything_in_order_and_fit_a_message(sizes: list[int]):
    messages = [TaskFailure(stack_trace="x" * size) for size in sizes]
    cut = list(parts(messages))
    assert [message for part in cut for message in part] == messages
    for part in cut:
        assert 1 <= len(part) <= limits.MAX_PART_ITEMS
        assert sum(message.ByteSize() for message in part[:-1]) < limits.MAX_PART_BYTES
