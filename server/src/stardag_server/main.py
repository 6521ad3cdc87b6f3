"""The `stardag-server` command: its parts, and what its errors end with."""

import sqlite3
import sys
from collections.abc import Sequence
from typing import NoReturn

import cyclopts
from sqlalchemy.exc import DBAPIError

from stardag_server.commands.migrate import migrate
from stardag_server.commands.purge import purge
from stardag_server.commands.serve import serve
from stardag_server.domain.refusals import StorageUnavailable
from stardag_server.settings import SettingInvalid
from stardag_server.store.database import sqlstate
from stardag_server.store.migration import DatabaseNewer
from stardag_server.transport.server import PortTaken
from stardag_server.transport.tls import CertificateUnusable

_USAGE = 2
_FAULT = 3

app = cyclopts.App(name="stardag-server", help="The tracking service of Stardag.")
app.default(serve)
app.command(migrate)
app.command(purge)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command, with the arguments of this process by default.

    Exit codes: 2 if a setting can't be used, 3 if the server can't serve.
    """
    try:
        code = app(sys.argv[1:] if arguments is None else arguments, result_action="return_value")
    except (SettingInvalid, CertificateUnusable) as error:
        code = _say(error, _USAGE)
    except StorageUnavailable as error:
        code = _say(_storage_fault(error.__cause__), _FAULT)
    except DBAPIError as error:
        code = _say(_storage_fault(error), _FAULT)
    except PortTaken as error:
        code = _say(f"{error}: is another server running there? Choose with --port", _FAULT)
    except (DatabaseNewer, OSError, ValueError) as error:
        code = _say(error, _FAULT)
    sys.exit(code)


def _storage_fault(cause: BaseException | None) -> str:
    """Return what is wrong with the database, in one line, and what to look at."""
    original = cause.orig if isinstance(cause, DBAPIError) else cause
    said = " ".join(str(original).split()) or type(original).__name__
    if isinstance(original, sqlite3.Error):
        return f"SQLite can't use the database file ({said}): check --data-dir and --database-url"
    if cause is not None and sqlstate(cause):
        return f"the database refuses ({said}): check --database-url"
    return f"the database does not answer ({said}): check that it runs, and --database-url"


def _say(message: object, code: int) -> int:
    print(f"stardag-server: {message}", file=sys.stderr)
    return code
