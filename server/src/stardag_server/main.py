"""The `stardag-server` command: its parts, and what its errors end with."""

import sqlite3
import sys
from collections.abc import Sequence
from typing import NoReturn

import cyclopts
from sqlalchemy.exc import DBAPIError

from stardag_server.commands.backup import backup
from stardag_server.commands.check import check
from stardag_server.commands.export import export
from stardag_server.commands.import_ import import_
from stardag_server.commands.keys import keys
from stardag_server.commands.migrate import migrate
from stardag_server.commands.purge import purge
from stardag_server.commands.serve import serve
from stardag_server.commands.settings import settings
from stardag_server.domain.refusals import Refusal, StorageUnavailable
from stardag_server.settings import SettingInvalid
from stardag_server.store.database import sqlstate
from stardag_server.store.migration import DatabaseNewer
from stardag_server.store.readers import ReaderMissing
from stardag_server.transport.server import PortTaken
from stardag_server.transport.tls import CertificateUnusable

_REFUSED = 1
_USAGE = 2
_FAULT = 3

app = cyclopts.App(name="stardag-server", help="The tracking service of Stardag.")
app.default(serve)
app.command(keys)
app.command(backup)
app.command(check)
app.command(export)
app.command(import_, name="import")
app.command(migrate)
app.command(purge)
app.command(settings)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command, with the arguments of this process by default.

    Exit codes: 1 if what was asked for is refused, 2 if a setting can't be used, 3 if the
    server can't serve.
    """
    try:
        code = app(sys.argv[1:] if arguments is None else arguments, result_action="return_value")
    except (SettingInvalid, CertificateUnusable) as error:
        code = _say(error, _USAGE)
    except StorageUnavailable as error:
        code = _say(_storage_fault(error.__cause__), _FAULT)
    except Refusal as error:
        code = _say(error.message, _REFUSED)
    except DBAPIError as error:
        code = _say(_storage_fault(error), _FAULT)
    except (PortTaken, DatabaseNewer, ReaderMissing, OSError, ValueError) as error:
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
