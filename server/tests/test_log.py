"""The log: one line an entry, nothing that controls a terminal."""

import json
import logging
import sys

from hypothesis import given
from hypothesis import strategies as st

from stardag_server.log import JsonLine, OneLine


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


def test_as_json_an_entry_is_one_line_with_what_failed():
    try:
        raise ValueError("two\nlines \x1b[31m")
    except ValueError:
        record = logging.LogRecord(
            "a.logger", logging.ERROR, "", 1, "%s\nof it", ("more",), sys.exc_info()
        )
    line = JsonLine().format(record)
    assert line.isprintable()
    entry = json.loads(line)
    assert (entry["level"], entry["logger"]) == ("error", "a.logger")
    assert entry["message"] == "more\nof it"
    assert "ValueError: two\nlines" in entry["error"]
