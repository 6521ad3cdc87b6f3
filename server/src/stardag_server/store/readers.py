"""The role under which PostgreSQL shows a caller's reads the rows of one workspace alone.

The policies are in the migrations: a table with a `workspace_id` has one, and every table is
granted to the role. SQLite has nothing of the kind.
"""

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from stardag_server.store.database import READER, sqlstate

# Other databases of the cluster may have the role already, or make it at the same moment.
# From PostgreSQL 16 on, who made a role has yet to be allowed to take it.
_MAY_TAKE = f"""
    SELECT coalesce(pg_has_role(
        current_user, oid,
        CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END
    ), false) FROM pg_roles WHERE rolname = '{READER}'
"""
_CREATION = f"""
    DO $$
    BEGIN
        CREATE ROLE {READER} NOLOGIN;
    EXCEPTION
        WHEN duplicate_object OR unique_violation THEN NULL;
    END $$
"""
_NOT_ALLOWED = "42501"


class ReaderMissing(Exception):
    """The role of readers can't be had; the message says what to run."""

    def __init__(self, user: str) -> None:
        super().__init__(
            f"the database user {user} may not create or take the role {READER}, under which"
            " callers read; let a superuser of PostgreSQL run, once:"
            f' CREATE ROLE {READER} NOLOGIN; GRANT {READER} TO "{user}"'
        )


def ensure_reader(connection: sa.Connection) -> None:
    """See to it that there is the role, and that this user may take it. Raises ReaderMissing."""
    if _may_take(connection):
        return
    user = str(connection.exec_driver_sql("SELECT current_user").scalar_one())
    try:
        with connection.begin_nested():
            if not _exists(connection):
                connection.exec_driver_sql(_CREATION)
            if not _may_take(connection):
                quoted = connection.dialect.identifier_preparer.quote_identifier(user)
                connection.exec_driver_sql(f"GRANT {READER} TO {quoted}")
    except DBAPIError as error:
        if sqlstate(error) != _NOT_ALLOWED:
            raise
        raise ReaderMissing(user) from None


def _exists(connection: sa.Connection) -> bool:
    query = f"SELECT true FROM pg_roles WHERE rolname = '{READER}'"
    return connection.exec_driver_sql(query).first() is not None


def _may_take(connection: sa.Connection) -> bool:
    return bool(connection.exec_driver_sql(_MAY_TAKE).scalar_one_or_none())
