"""`stardag builds`: what was built, and what is being built."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

builds = App(name="builds", help="List, show and watch builds.")

Limit = Annotated[int, Parameter(validator=Number(gte=1))]
Json = Annotated[bool, Parameter(name="--json", negative="")]
BuildId = Annotated[str, Parameter(help="Id of the build, or `latest`.")]


@builds.command(name="list")
def list_builds(*, limit: Limit = 20, json: Json = False) -> None:
    """List builds, newest first.

    Parameters
    ----------
    limit
        Most builds to list.
    json
        Print a JSON array.
    """
    from itertools import islice

    from stardag.cli import output, tables
    from stardag.client import connect
    from stardag.config import get_config

    with connect(get_config()) as client:
        found = list(islice(client.list_builds(), limit + 1))
    shown = found[:limit]
    if json:
        output.print_json([output.as_dict(build) for build in shown])
        return
    output.console().print(tables.builds(shown) if shown else "No builds yet.")
    if len(found) > limit:
        output.console().print(f"There are more: --limit {limit * 5}")


@builds.command
def show(build: BuildId, *, limit: Limit = 50, json: Json = False) -> None:
    """Show a build: how it ended, what failed, and what became of each task.

    Parameters
    ----------
    limit
        Most tasks to list; JSON has all of them.
    json
        Print a JSON object.
    """
    from stardag.cli import output, tables
    from stardag.cli.build_id import resolve_build
    from stardag.client import connect
    from stardag.config import get_config
    from stardag.v1 import build_service_pb2 as service

    config = get_config()
    with connect(config) as client:
        build_id = resolve_build(client, build)
        found = client.builds.GetBuild(service.GetBuildRequest(build_id=build_id)).build
        states = list(client.list_task_states(build_id))
    if json:
        tasks = [output.as_dict(state) for state in states]
        output.print_json({"build": output.as_dict(found), "tasks": tasks})
        return
    console = output.console()
    console.print(tables.build_facts(found, config.tracking.trace_url))
    for failure in tables.failures(states):
        console.print(failure)
    if states:
        console.print(tables.task_states(states[:limit]))
    if len(states) > limit:
        console.print(f"{len(states) - limit} more tasks: --limit {len(states)}")


@builds.command
def watch(build: BuildId, *, json: Json = False) -> int:
    """Follow a build until it ends; exits with 1 if it does not complete.

    Parameters
    ----------
    json
        Print each change as a JSON object in a line of its own.
    """
    from stardag.cli.build_id import resolve_build
    from stardag.cli.watching import follow
    from stardag.client import connect
    from stardag.config import get_config

    with connect(get_config()) as client:
        return follow(client, resolve_build(client, build), json=json)
