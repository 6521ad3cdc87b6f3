"""The log: one line an entry, nothing that controls a terminal."""

import logging
import sys

from hypothesis import given
from hypothesis import strategies as st

from stardag_server.log import OneLine


@given(st.text())
def test_an_entry_is_one_printable_line(text: str):
    try:
        raise ValueError(text)
    except ValueError:
        record = logging.LogRecord("n", logging.INFO, "", 0, "%s", (text,), sys.exc_info())
    assert OneLine().format(record).isprintable()


def test_readable_text_stays_readable():
    record = logging.LogRecord("n", logging.INFO, "", 0, "it's \u00fc\x1b[31m\n", (), None)
    assert OneLine().format(record).endswith("INFO n it's \u00fc\\x1b[31m\\n")


def test_a_chain_of_errors_is_cut_to_its_first_cause_and_its_end():
    error = ValueError("the first cause")
    for number in range(500):
        try:
            raise RuntimeError(f"retry {number}") from error
        except RuntimeError as retry:
            error = retry
    info = (type(error), error, error.__traceback__)
    line = OneLine().format(logging.LogRecord("n", logging.ERROR, "", 0, "m", (), info))
    assert len(line) < 10_000
    assert "the first cause" in line and "retry 499" in line
