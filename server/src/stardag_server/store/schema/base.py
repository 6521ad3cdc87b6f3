"""What all tables have in common."""

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.sqlite import INTEGER
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# SQLite numbers rows by itself only where the type is spelled INTEGER.
Key = sa.BigInteger().with_variant(INTEGER(), "sqlite")
Json = sa.JSON().with_variant(JSONB(), "postgresql")


def plain(text: str) -> str:
    """Return the text with each NUL character shown as U+2400, the symbol for it."""
    return text.replace("\x00", "\u2400") if "\x00" in text else text


def zero() -> Mapped[int]:
    """Return a column of numbers that is 0 where nothing else is said."""
    return mapped_column(server_default="0")


class Base(DeclarativeBase):
    """All tables, with names of constraints that Alembic can find again."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {int: sa.BigInteger, str: sa.Text, UUID: sa.Uuid}  # noqa: RUF012
