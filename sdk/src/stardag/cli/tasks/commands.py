"""`stardag tasks`: what is known of tasks, over all builds."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import App, Parameter
from cyclopts.validators import Number

from stardag.cli.options import (
    BuildRef,
    Json,
    Limit,
    Name,
    OrderBy,
    TaskRef,
    TaskStatuses,
)

tasks = App(name="tasks", help="List, show, explain and check tasks.")


@tasks.command(name="list")
def list_tasks(
    *,
    status: TaskStatuses = (),
    name: Name = None,
    since: str | None = None,
    param: tuple[str, ...] = (),
    filter: str = "",
    order_by: OrderBy = "",
    limit: Limit = 20,
    json: Json = False,
) -> None:
    """List tasks with their latest state, the one heard of last first.

    Options that are given together all have to hold; of several statuses, one.

    Parameters
    ----------
    status
        Only those in this status; may be given several times.
    since
        Only those first heard of since then: 30m, 6h, 7d, or a date or time such as
        2026-01-31T08:00.
    filter
        Only those that match, such as 'name ~ "^train"'.
    param
        Only those with this parameter, as NAME=VALUE.
    limit
        Most tasks to list.
    json
        Print a JSON array.
    """
    from datetime import datetime

    from stardag.cli import output
    from stardag.cli.lists import filters, listing
    from stardag.cli.views import tables
    from stardag.client import connect
    from stardag.config import get_config
    from stardag.v1.registry_service_pb2 import ListTasksRequest

    wanted = filters.both(
        filter,
        filters.either("status", [each.name for each in status]),
        filters.equals("name", name),
        filters.since("create_time", since, datetime.now()),
        *map(filters.parametrized, param),
    )
    request = ListTasksRequest(filter=wanted, order_by=order_by)
    with (
        connect(get_config()) as client,
        filters.told_as_typed(
            filter, lambda typed: client.registry.ListTasks(ListTasksRequest(filter=typed))
        ),
    ):
        found, more = listing.first(
            client.registry.ListTasks, request, lambda page: page.tasks, limit
        )
    if json:
        output.print_json([output.as_dict(task) for task in found])
    elif found:
        output.console().print(tables.tasks(found, wide=output.is_wide()))
    else:
        output.note("there is no such task" if wanted else "there are no tasks yet")
    listing.tell_cut(len(found), more)


@tasks.command
def show(task: TaskRef, /, *, limit: Limit = 10, json: Json = False) -> None:
    """Show a task: what it is, where its output is, and what became of it in each build.

    Parameters
    ----------
    limit
        Most builds to list.
    json
        Print a JSON object with the task and its history.
    """
    from stardag.cli import output
    from stardag.cli.lists import ids, listing
    from stardag.cli.tasks import report as task_report
    from stardag.client import connect
    from stardag.config import get_config

    config = get_config()
    with connect(config) as client:
        found = task_report.read(
            client, ids.task_id(client, task), limit, config.tracking.trace_url
        )
    if json:
        output.print_json(found.as_json())
    else:
        output.console().print(found)
    listing.tell_cut(len(found.history), found.more)


@tasks.command
def why(
    task: TaskRef,
    /,
    *,
    build: Annotated[BuildRef, Parameter(help="Build whose run is meant, not the latest.")] = "",
    json: Json = False,
) -> None:
    """Tell why a task ran, and in what it differs from the nearest one that ran before.

    Parameters
    ----------
    json
        Print a JSON object.
    """
    from stardag.cli import output
    from stardag.cli.lists import ids
    from stardag.cli.tasks import explanation
    from stardag.client import connect
    from stardag.config import get_config
    from stardag.v1.registry_service_pb2 import ExplainTaskRequest

    with connect(get_config()) as client:
        build_id = ids.build_id(client, build) if build else ""
        request = ExplainTaskRequest(task_id=ids.task_id(client, task), build_id=build_id)
        found = client.registry.ExplainTask(request)
    if json:
        output.print_json(output.as_dict(found))
    else:
        output.console().print(explanation.drawn(request.task_id, found))


@tasks.command
def lineage(
    task: TaskRef,
    /,
    *,
    direction: Literal["upstream", "downstream", "both"] = "both",
    depth: Annotated[int, Parameter(validator=Number(gte=0, lte=1_000_000))] = 0,
    json: Json = False,
) -> None:
    """Show what a task depends on, directly or not, and what depends on it.

    Parameters
    ----------
    direction
        Which of the two.
    depth
        Most edges to follow in a row; 0 for no bound.
    json
        Print a JSON object with the tasks and the edges between them.
    """
    from stardag.cli import output
    from stardag.cli.lists import ids
    from stardag.cli.tasks import lineage as lineages
    from stardag.client import connect
    from stardag.config import get_config

    with connect(get_config()) as client:
        found = lineages.read(client, ids.task_id(client, task), direction, depth)
    if json:
        output.print_json(found.as_json())
    else:
        output.console().print(found)


@tasks.command(usage="Usage: stardag tasks check [OPTIONS] [SUBJECT]")
def check(
    subject: Annotated[
        BuildRef,
        Parameter(help="A build, as an id, the beginning of one, or `latest`; or MODULE:NAME."),
    ] = "latest",
    /,
    *,
    module: Annotated[
        tuple[str, ...],
        Parameter(help="Module that defines tasks, to make ids anew by."),
    ] = (),
    json: Json = False,
) -> int:
    """Check that what is recorded of tasks still holds; exits with 1 if not.

    Of a build, every output that it says is there is looked for, and the ids of tasks whose types a
    --module defines are made anew from the recorded parameters. MODULE:NAME is a task, several, or
    a function that returns them: these, and all they depend on, are looked up by the ids that they
    have now.

    Parameters
    ----------
    json
        Print a JSON object with what was checked and found.
    """
    from stardag.cli import output
    from stardag.cli.build.reference import find_tasks, import_module
    from stardag.cli.lists import ids
    from stardag.cli.tasks import checking
    from stardag.client import connect
    from stardag.config import get_config

    for each in module:
        import_module(each)
    defined = find_tasks(subject, {}) if ":" in subject else None
    with connect(get_config()) as client:
        if defined is not None:
            found = checking.defined(client, defined)
        else:
            found = checking.recorded(client, ids.build_id(client, subject))
    if json:
        output.print_json(found.as_json())
    else:
        output.console().print(found)
    return 1 if found.findings else 0
