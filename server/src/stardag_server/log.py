"""The log: one line an entry, on standard error."""

import json
import logging
import sys
from datetime import UTC, datetime
from types import TracebackType

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("text", "json")

_MAX_TRACE = 8 << 10


class OneLine(logging.Formatter):
    """Writes an entry, with its stack trace, as one line in which nothing controls a terminal.

    A long trace, as of many errors that led to each other, is cut in the
    middle: the first cause stands at its begin, the error itself at its end.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return "".join(
            character if character.isprintable() else repr(character)[1:-1]
            for character in super().format(record)
        )

    def formatException(self, ei: _ExcInfo) -> str:
        """Return the trace, of bounded length."""
        trace = super().formatException(ei)
        if len(trace) <= _MAX_TRACE:
            return trace
        half = _MAX_TRACE // 2
        return f"{trace[:half]}\n[... {len(trace) - 2 * half} characters ...]\n{trace[-half:]}"


class JsonLine(OneLine):
    """Writes an entry as one object of JSON: time, level, logger, message, and what failed."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def set_up(level: str, form: str = "text") -> None:
    """Write entries of this level and above, one of LEVELS, in one of FORMATS."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLine() if form == "json" else OneLine())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # One line a connection, or a migration step, is of no use to an operator.
    for chatty in ("alembic", "aiosqlite", "sqlalchemy", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
