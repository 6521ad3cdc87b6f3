"""The log: one line an entry, on standard error."""

import logging
import sys

LEVELS = ("debug", "info", "warning", "error")


class OneLine(logging.Formatter):
    """Writes an entry, with its stack trace, as one line in which nothing controls a terminal."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return "".join(
            character if character.isprintable() else repr(character)[1:-1]
            for character in super().format(record)
        )


def set_up(level: str) -> None:
    """Write entries of this level and above, one of LEVELS."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # One line a connection, or a migration step, is of no use to an operator.
    for chatty in ("alembic", "aiosqlite", "sqlalchemy"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
