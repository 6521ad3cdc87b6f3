"""`stardag-server backup`: a copy of the SQLite database, while a server runs."""

import shlex
from pathlib import Path

import sqlalchemy as sa

from stardag_server.commands.opened import command_settings
from stardag_server.settings import SettingInvalid
from stardag_server.store.sqlite_file import copy_database, database_file


def backup(file: Path, *, data_dir: Path | None = None, database_url: str | None = None) -> int:
    """Copy the SQLite database to a file, as of one moment; a server may write to it meanwhile.

    The copy can be served in place of the database. For PostgreSQL, use pg_dump.

    Parameters
    ----------
    file
        File to write; one that is there is replaced, when the copy is whole.
    data_dir
        Folder of the SQLite database.
    database_url
        Database to copy.
    """
    loaded = command_settings(data_dir, database_url)
    url = loaded.database_url
    if url.get_backend_name() != "sqlite":
        problem = "this copies SQLite databases; of PostgreSQL, make a dump:"
        raise SettingInvalid(f"{problem}\n{_dump(url, file)}")
    copy_database(database_file(url), file)
    print(f"the database is copied to {file}")
    return 0


def _dump(url: sa.URL, file: Path) -> str:
    """Return the command that makes a backup of a PostgreSQL database; it asks for the password."""
    known = sa.URL.create(
        "postgresql", url.username, host=url.host, port=url.port, database=url.database
    )
    command = ["pg_dump", "--format=custom", f"--file={file}", known.render_as_string()]
    return f"  {shlex.join(command)}"
