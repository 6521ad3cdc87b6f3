"""The commands and their help; what they do is imported when they run."""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import Annotated

from cyclopts import App, Parameter

from stardag._errors import ConfigError
from stardag.cli.build.command import build
from stardag.cli.builds.commands import builds
from stardag.cli.completion import completion
from stardag.cli.config import config
from stardag.cli.doctor.command import doctor
from stardag.cli.help import FlowingHelp
from stardag.cli.keys import keys
from stardag.cli.options import Json, Switch
from stardag.cli.targets.commands import targets
from stardag.cli.tasks.commands import tasks
from stardag.cli.workspaces.commands import workspaces

app = App(
    name="stardag",
    help="Build, and see what builds made and what they are doing now.",
    default_parameter=Parameter(negative="", show_default=lambda value: value or None),
    help_format="plaintext",  # Markdown would cost a third of the time until help is there
    help_formatter=FlowingHelp(),
)
app.command(build)
app.command(builds)
app.command(tasks)
app.command(completion)
app.command(config)
app.command(doctor)
app.command(keys)
app.command(targets)
app.command(workspaces)

_server = App(
    name="server",
    help="Start a server here; all arguments are stardag-server's.",
    help_flags=[],
    version_flags=[],
)
app.command(_server)


@app.command
def sync(*, again: Switch = False, recorded_for: str | None = None, json: Json = False) -> int:
    """Deliver the events that are still on this machine; exits with 1 while any remain.

    Parameters
    ----------
    again
        Also what was delivered in the last day, as far as the server does not have it: after it
        was restored from a backup. Use the credential with which it was built.
    recorded_for
        Address of a server that has moved, or that was a mistake: deliver what is for it, too,
        with whatever credential it was recorded.
    json
        Print a JSON object.
    """
    from stardag.cli.sync import sync_spool

    return sync_spool(again=again, recorded_for=recorded_for, json=json)


@_server.default
def server(*arguments: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> None:
    """Start a server here; all arguments are stardag-server's."""
    if importlib.util.find_spec("stardag_server") is None:
        raise ConfigError("the server is not installed here: pip install stardag-server")
    os.execv(sys.executable, [sys.executable, "-m", "stardag_server", *arguments])
