"""`stardag builds`: what was built, and what is being built."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from stardag.cli.options import (
    BuildRef,
    BuildStatuses,
    Filter,
    Json,
    Limit,
    Name,
    OrderBy,
    Since,
    TaskStatuses,
)

builds = App(name="builds", help="List, show, watch, compare and cancel builds.")


@builds.command(name="list")
def list_builds(
    *,
    status: BuildStatuses = (),
    name: Name = None,
    since: Since = None,
    label: tuple[str, ...] = (),
    filter: Filter = "",
    order_by: OrderBy = "",
    limit: Limit = 20,
    json: Json = False,
) -> None:
    """List builds, the one heard of last first.

    Options that are given together all have to hold; of several statuses, one.

    Parameters
    ----------
    label
        Only those with this label, as KEY=VALUE.
    limit
        Most builds to list.
    json
        Print a JSON array.
    """
    from datetime import datetime

    from stardag.cli import output
    from stardag.cli.lists import filters, listing
    from stardag.cli.views import tables
    from stardag.client import connect
    from stardag.config import get_config
    from stardag.v1.build_pb2 import BuildStatus
    from stardag.v1.build_service_pb2 import ListBuildsRequest

    wanted = filters.both(
        filter,
        filters.equals("name", name),
        filters.since("start_time", since, datetime.now()),
        *map(filters.labelled, label),
    )
    request = ListBuildsRequest(
        statuses=[BuildStatus.Value(each.value) for each in status],
        filter=wanted,
        order_by=order_by,
    )
    with (
        connect(get_config()) as client,
        filters.told_as_typed(
            filter, lambda typed: client.builds.ListBuilds(ListBuildsRequest(filter=typed))
        ),
    ):
        found, more = listing.first(
            client.builds.ListBuilds, request, lambda page: page.builds, limit
        )
    if json:
        output.print_json([output.as_dict(build) for build in found])
    elif found:
        output.console().print(tables.builds(found, wide=output.is_wide()))
    else:
        output.note("there is no such build" if wanted or status else "there are no builds yet")
    listing.tell_cut(len(found), more)


@builds.command
def show(
    build: BuildRef,
    /,
    *,
    status: Annotated[
        TaskStatuses, Parameter(help="List the tasks in these statuses instead.")
    ] = (),
    filter: Annotated[
        Filter,
        Parameter(help="List the tasks that match instead, such as 'duration > 60'."),
    ] = "",
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """Show a build: what failed and why, what that holds up, how it went, and its DAG.

    Parameters
    ----------
    limit
        Most tasks to list; JSON has all of them.
    json
        Print a JSON object with the build, its failures and its tasks.
    """
    from stardag.cli import output
    from stardag.cli.builds import report as build_report
    from stardag.cli.lists import ids, listing
    from stardag.cli.views import tables
    from stardag.client import connect
    from stardag.config import get_config
    from stardag.v1.build_service_pb2 import ListTaskStatesRequest
    from stardag.v1.task_pb2 import TaskStatus

    config = get_config()
    console = output.console()
    with connect(config) as client:
        build_id = ids.build_id(client, build)
        request = ListTaskStatesRequest(
            build_id=build_id,
            statuses=[TaskStatus.Value(each.value) for each in status],
            filter=filter,
        )
        if json:
            output.print_json(build_report.as_json(client, request))
        elif status or filter:
            found, more = listing.first(
                client.builds.ListTaskStates, request, lambda page: page.task_states, limit
            )
            console.print(tables.task_states(found, wide=output.is_wide()))
            listing.tell_cut(len(found), more)
        else:
            console.print(build_report.read(client, build_id, config.tracking.trace_url))


@builds.command
def watch(build: BuildRef, /, *, json: Json = False) -> int:
    """Follow a build until it ends; exits with 1 if it does not complete.

    Goes on where it was when the server is away for up to a minute.

    Parameters
    ----------
    json
        Print each change as a JSON object in a line of its own.
    """
    from stardag.cli.builds.watching import follow
    from stardag.cli.lists import ids
    from stardag.client import connect
    from stardag.config import get_config

    with connect(get_config()) as client:
        return follow(client, ids.build_id(client, build), json=json)


@builds.command
def compare(base: BuildRef, build: BuildRef, /, *, limit: Limit = 50, json: Json = False) -> None:
    """Compare a build with an earlier one: which tasks are new or gone, and what went otherwise.

    Parameters
    ----------
    limit
        Most tasks to list; JSON has all that differ.
    json
        Print a JSON object with both builds, counts and changes.
    """
    from stardag.cli import output
    from stardag.cli.builds import comparison
    from stardag.cli.lists import ids, listing
    from stardag.client import connect
    from stardag.config import get_config

    with connect(get_config()) as client:
        base_id, build_id = ids.build_id(client, base), ids.build_id(client, build)
        found = comparison.read(client, base_id, build_id, None if json else limit)
    if json:
        output.print_json(found.as_json())
    else:
        output.console().print(found)
    listing.tell_cut(len(found.changes), found.more)


@builds.command
def cancel(build: BuildRef, /, *, reason: str = "", json: Json = False) -> None:
    """Ask a running build to stop; what runs is asked to, and nothing more is started.

    Parameters
    ----------
    reason
        Why, for those who read of it.
    json
        Print the build as a JSON object.
    """
    from stardag.cli import output
    from stardag.cli.lists import ids
    from stardag.cli.views import cells
    from stardag.client import connect
    from stardag.config import get_config
    from stardag.v1.build_pb2 import BuildStatus
    from stardag.v1.build_service_pb2 import CancelBuildRequest

    with connect(get_config()) as client:
        request = CancelBuildRequest(build_id=ids.build_id(client, build), reason=reason)
        found = client.builds.CancelBuild(request).build
    if json:
        output.print_json(output.as_dict(found))
    elif found.status == BuildStatus.BUILD_STATUS_RUNNING:
        when = cells.moment(found.cancel_time)
        output.console().print(
            cells.line(
                f"{found.build_id} was asked to stop at {when}; `stardag builds watch` follows"
            )
        )
    else:
        output.note(f"{found.build_id} has ended already: {cells.build_status(found)}")
