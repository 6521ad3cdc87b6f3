"""The `stardag` command.

Exit codes: 0 done; 1 it, or the build asked about, failed; 2 wrong usage or configuration; 3 the
server can't be reached or refuses; 130 interrupted.
"""

from __future__ import annotations

import os
import sys

from stardag._errors import ConfigError, StardagError


def main() -> None:
    """Run the command line of this process, and exit. Errors become one line on stderr."""
    sys.exit(_run())


def _run() -> int:
    # what grpc would print beside, in its own words, is in our error
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from stardag.cli.app import app

    try:
        return app(result_action="return_int_as_exit_code_else_zero")
    except ConfigError as error:
        return _fail(error, 2)
    except StardagError as error:
        return _fail(error, _exit_code(error))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _exit_code(error: StardagError) -> int:
    from stardag.client import NotFoundError, ServerError

    return 3 if isinstance(error, ServerError) and not isinstance(error, NotFoundError) else 1


def _fail(error: StardagError, code: int) -> int:
    print(f"stardag: {error}", file=sys.stderr)
    return code
