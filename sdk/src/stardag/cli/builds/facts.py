"""The facts of one build, as they are told of it wherever it is shown."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.text import Text

from stardag.cli.views import cells, tables, traces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from stardag.v1.build_pb2 import Build
    from stardag.v1.registry_service_pb2 import Producer

_MOST_NAMED = 3
_LONGEST_REASON = 320


def headline(build: Build) -> Text:
    """Return a build's status, id and name in one line."""
    status = cells.coloured(cells.build_status(build))
    told = Text("  ").join([status, cells.line(build.build_id), cells.line(build.name, "bold")])
    told.no_wrap, told.overflow = True, "ellipsis"
    return told


def facts(build: Build, trace_url: str | None = None, producers: Sequence[Producer] = ()) -> Table:
    """Return what there is to say of one build; its trace is where `trace_url` says, if it does."""
    table = tables.facts()
    labels = ", ".join(f"{key}={value}" for key, value in sorted(build.labels.items()))
    told = {
        "description": cells.block(build.description),
        "reason": shortened(cells.block(build.reason)),
        "cancelled": cells.line(_cancelled(build)),
        "started": Text(cells.moment(build.start_time)),
        "took": Text(cells.took(build)),
        "tasks": Text(cells.counts(build.task_counts)),
        "reused from": cells.line(_origins(producers)),
        "trace": traces.trace_of(build.build_id, trace_url),
        "host": cells.line(build.host),
        "runtime": cells.line(build.runtime),
        "command": cells.line(build.command),
        "code": cells.line(_source(build)),
        "labels": cells.line(labels),
        "incomplete": Text(_incompleteness(build)),
    }
    for name, fact in told.items():
        if fact.plain:
            table.add_row(name, fact)
    return table


def shortened(reason: Text) -> Text:
    """Cut a reason where it becomes too long to be read beside others, and return it."""
    reason.truncate(_LONGEST_REASON, overflow="ellipsis")
    return reason


def _origins(producers: Sequence[Producer]) -> str:
    """Return which builds made what was reused, those that made most of it first."""
    made = Counter(producer.build_id for producer in producers).most_common()
    named = [f"build {build_id} ({cells.plural(count, 'task')})" for build_id, count in made]
    more = len(named) - _MOST_NAMED
    return ", ".join(named[:_MOST_NAMED] + [f"and {more} more builds"] * (more > 0))


def _cancelled(build: Build) -> str:
    when = cells.moment(build.cancel_time)
    why = f": {build.cancel_reason}" if build.cancel_reason else ""
    return f"asked for at {when}{why}" if when else ""


def _source(build: Build) -> str:
    source = build.source
    if not source.commit:
        return ""
    where = f"{source.commit[:12]} ({source.ref})" if source.ref else source.commit[:12]
    return f"{where}, with uncommitted changes" if source.dirty else where


def _incompleteness(build: Build) -> str:
    lost, rejected = build.completeness.lost_events, build.completeness.rejected_events
    parts = [f"{lost} events lost by the producer"] * bool(lost)
    parts += [f"{rejected} events rejected by the server"] * bool(rejected)
    return ", ".join(parts)
