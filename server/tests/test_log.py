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
