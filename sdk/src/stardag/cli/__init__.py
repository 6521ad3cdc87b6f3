"""The `stardag` command.

Exit codes: 0 done; 1 it, or the build asked about, failed; 2 wrong usage or configuration; 3 the
server can't be reached or refuses; 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from stardag._errors import ConfigError, StardagError
from stardag._readable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence


def main() -> None:
    """Run the command line of this process, and exit. Errors become one line on stderr."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run the command line `arguments` and return the exit code; errors are one line on stderr."""
    # what grpc would print beside, in its own words, is in our error
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from cyclopts import CycloptsError

    from stardag.cli.app import app

    try:
        _require_text(arguments)
        return app(
            arguments,
            result_action="return_int_as_exit_code_else_zero",
            exit_on_error=False,
            print_error=False,
        )
    except CycloptsError as error:
        from stardag.cli.usage import mistake

        return _fail(mistake(error), 2)
    except StardagError as error:
        return _fail(str(error), _exit_code(error))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except SystemExit as ended:  # so does Rich, with a code of its own
        if isinstance(ended.__context__, BrokenPipeError):
            return 0
        raise


def _require_text(arguments: Sequence[str]) -> None:
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise ConfigError(f"the argument {argument!r} is not UTF-8") from None


def _exit_code(error: StardagError) -> int:
    if isinstance(error, ConfigError):
        return 2
    from stardag.client import ServerError

    if not isinstance(error, ServerError):
        return 1
    return {"NOT_FOUND": 1, "INVALID_ARGUMENT": 2}.get(error.code.name, 3)


def _fail(message: str, code: int) -> int:
    print(f"stardag: {printable(message)}", file=sys.stderr)
    return code
