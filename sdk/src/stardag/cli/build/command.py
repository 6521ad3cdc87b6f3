"""`stardag build`: build tasks, or show what a build would do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from stardag.cli.options import Json, Limit, Repeated, Switch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stardag._task import BaseTask
    from stardag.build import BuildSummary

Workers = Annotated[int | None, Parameter(validator=Number(gte=1))]


def build(
    reference: str,
    /,
    *,
    param: Repeated = None,
    dry_run: Switch = False,
    max_workers: Workers = None,
    limit: Limit = 50,
    json: Json = False,
) -> int:
    """Build what `module:attribute` names; exits with 1 if it does not complete.

    Parameters
    ----------
    reference
        `module:attribute`: a task type, a task, a list of tasks, or a function without
        arguments that returns them. Modules in the working directory are found.
    param
        A parameter of the task type, as `name=value`; once for each. A value that is no text
        or number is JSON.
    dry_run
        Run nothing: show what would run, what would be reused, and why, with what the service
        knows of it if one is configured.
    max_workers
        Most tasks to run at once.
    limit
        Most tasks that a dry run lists; JSON has all of them.
    json
        Print a JSON object; what tasks print goes to stderr.
    """
    from contextlib import redirect_stdout

    from stardag.build import build as build_tasks
    from stardag.cli import output
    from stardag.cli.build.plan import look_ahead, print_plan
    from stardag.cli.build.reference import find_tasks
    from stardag.cli.pairs import split_pairs

    with redirect_stdout(sys.stderr if json else sys.stdout):
        tasks = find_tasks(reference, split_pairs("--param", param or ()))
        planned = look_ahead(tasks, _recall) if dry_run else None
        summary = build_tasks(tasks, max_workers=max_workers) if planned is None else None
    if planned is not None:
        print_plan(planned, limit=limit, json=json)
        return 0
    assert summary is not None
    if json:
        output.print_json(_as_dict(summary))
    else:
        _tell(summary)
    return 0 if summary.ok else 1


def _recall(tasks: Sequence[BaseTask]) -> dict[str, str]:
    """Return what the service knows of tasks; nothing, and a word on stderr, if it can't tell."""
    from stardag.cli import output
    from stardag.config import get_config

    config = get_config()
    if not config.server.address:
        return {}
    from stardag.cli.build.past import read_past
    from stardag.client import ServerError, connect

    try:
        with connect(config) as client:
            return read_past(client, tasks)
    except ServerError as error:
        output.note(f"what was built before is not known: {error}")
        return {}


def _tell(summary: BuildSummary) -> None:
    """Print what a build did, and the traceback of each failure on stderr."""
    from stardag._readable import printable

    print(printable(str(summary)))
    for failure in summary.failures:
        told = f"\n{failure.task!r} ({failure.task.id})\n{failure.traceback}"
        print(printable(told), file=sys.stderr)


def _as_dict(summary: BuildSummary) -> dict[str, object]:
    from dataclasses import asdict

    return {
        "build_id": str(summary.build_id),
        "status": summary.status,
        "reason": summary.reason,
        "duration_s": round(summary.duration_s, 6),
        "counts": asdict(summary.counts),
        "failures": [
            {
                "task_id": str(failure.task.id),
                "task": repr(failure.task),
                "kind": type(failure.error).__name__,
                "message": str(failure.error),
                "stack_trace": failure.traceback,
            }
            for failure in summary.failures
        ],
        "skipped": [
            {
                "task_id": str(skip.task.id),
                "task": repr(skip.task),
                "caused_by_task_id": str(skip.cause.id),
            }
            for skip in summary.skipped
        ],
    }
