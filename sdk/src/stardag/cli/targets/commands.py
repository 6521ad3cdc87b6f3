"""`stardag targets`: what is in the target roots, and how it compares with what is recorded."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from cyclopts import App, Parameter

from stardag.cli.options import BuildRef, Json, Limit, Repeated, Switch
from stardag.cli.spans import Span

_IN_DAYS = Parameter(show_default=lambda default: f"{default.days}d")

targets = App(name="targets", help="List, clean up and verify outputs.")


@targets.command(name="list")
def list_targets(*, root: Repeated = None, limit: Limit = 50, json: Json = False) -> None:
    """List what is below the target roots; JSON tells of each the task whose output it is.

    Parameters
    ----------
    root
        Name of a target root, once for each; by default all that are configured.
    limit
        Most objects to list; JSON has all of them.
    json
        Print a JSON array.
    """
    from itertools import islice

    from stardag.cli import output
    from stardag.cli.lists import listing
    from stardag.cli.targets.object_table import object_table
    from stardag.cli.targets.roots import configured_roots, objects_below

    found = objects_below(configured_roots(root))
    if json:
        output.print_json([each.as_dict() for each in found])
        return
    shown = list(islice(found, limit + 1))
    if shown:
        output.console().print(object_table(shown[:limit]))
    else:
        output.note("there is nothing yet")
    listing.tell_cut(limit, len(shown) > limit)


@targets.command
def gc(
    *,
    root: Repeated = None,
    older_than: Annotated[Span, _IN_DAYS] = timedelta(days=7),
    delete: Switch = False,
    yes: Switch = False,
    limit: Limit = 50,
    json: Json = False,
) -> int:
    """Show outputs that no task of the workspace refers to any more; with --delete, delete them.

    Only what is below a root, and where outputs of tasks are placed, is ever deleted. All that
    builds there must be tracked, in this one workspace. Exits with 1 if something could not be
    deleted, or was not to be.

    Parameters
    ----------
    root
        Name of a target root, once for each; by default all that are configured.
    older_than
        Leave alone what was written since, such as `12h` or `30d`.
    delete
        Delete them, once their number is confirmed.
    yes
        Confirm it beforehand.
    limit
        Most objects to list; JSON has all of them.
    json
        Print a JSON object.
    """
    from stardag._errors import ConfigError
    from stardag.cli.targets.collection import collect, look, show
    from stardag.cli.targets.roots import configured_roots
    from stardag.client import connect
    from stardag.config import get_config

    if yes and not delete:
        raise ConfigError("--yes confirms --delete, which is not there")
    config = get_config()
    with connect(config) as client:
        seen = look(client, config, configured_roots(root), older_than)
        if delete:
            return collect(client, seen, confirmed=yes, json=json)
    show(seen, limit=limit, json=json)
    return 0


@targets.command(usage="Usage: stardag targets verify [OPTIONS] [BUILD]")
def verify(
    build: BuildRef | None = None,
    /,
    *,
    limit: Limit = 50,
    json: Json = False,
) -> int:
    """Check that the outputs of completed tasks are there, and whole; exits with 1 if any isn't.

    Those of one build, or else of every task of the workspace that a build left complete.

    Parameters
    ----------
    limit
        Most problems to list; JSON has all of them.
    json
        Print a JSON object.
    """
    from stardag.cli.targets.verification import (
        print_verification,
        recorded_outputs,
        verify_outputs,
    )
    from stardag.client import connect
    from stardag.config import get_config

    with connect(get_config()) as client:
        verified = verify_outputs(recorded_outputs(client, build))
    print_verification(verified, limit=limit, json=json)
    return 1 if verified.problems else 0
