"""`stardag targets gc`, from what is looked at to what is said."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from rich.filesize import decimal

from stardag._errors import StardagError
from stardag.cli import output
from stardag.cli.lists import listing
from stardag.cli.targets.garbage import Deletion, delete, read_kept, sort_out
from stardag.cli.targets.object_table import object_table
from stardag.cli.targets.roots import objects_below
from stardag.cli.views import cells
from stardag.tracking.connection.address import parse_address
from stardag.tracking.spool.names import is_spool_for
from stardag.tracking.spool.waiting import waiting_spools
from stardag.v1.auth_service_pb2 import GetCallerRequest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from stardag.cli.targets.garbage import Findings
    from stardag.cli.targets.roots import Root
    from stardag.client import Client
    from stardag.config import Config

_PROBLEMS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Look:
    """What was found below some roots."""

    workspace: str
    roots: Sequence[Root]
    found: Findings
    obstacle: str
    """Why garbage can't be told from what is needed; empty if it can."""

    def __str__(self) -> str:
        found = self.found
        return (
            f"{cells.plural(len(found.garbage), 'object')} of garbage, "
            f"{decimal(found.garbage_bytes)}; {found.kept.total()} kept, {found.young} too young, "
            f"{found.other} not where outputs are placed"
        )


def look(client: Client, config: Config, roots: Sequence[Root], older_than: timedelta) -> Look:
    """Find out what is garbage below the roots. What is written while this goes on is not.

    Raises `ServerError`, and what `objects_below` raises.
    """
    written_before = time.time() - older_than.total_seconds()
    workspace = client.auth.GetCaller(GetCallerRequest()).workspace
    # in this order: a task that is registered in between is known, and so kept
    objects = list(objects_below(roots))
    found = sort_out(objects, read_kept(client), written_before)
    obstacle = _unknown_roots(workspace, found) or _waiting_events(config)
    return Look(workspace, roots, found, obstacle)


def show(seen: Look, *, limit: int, json: bool) -> None:
    """Print what would be deleted: as JSON, or as a table of the first `limit` objects."""
    if json:
        _print_json(seen, Deletion())
        return
    console, garbage = output.console(), seen.found.garbage
    if garbage:
        console.print(object_table(garbage[:limit]))
    console.print(str(seen))
    listing.tell_cut(limit, len(garbage) > limit)
    if garbage:
        output.note(seen.obstacle or "nothing was deleted; --delete does that")


def collect(client: Client, seen: Look, *, confirmed: bool, json: bool) -> int:
    """Delete garbage once that is confirmed; return 1 if not all of it is gone, else 0.

    Raises `StardagError` if there is an obstacle, and what `delete` raises.
    """
    if seen.obstacle:
        raise StardagError(f"nothing was deleted: {seen.obstacle}")
    if seen.found.garbage and not confirmed and not _confirms(seen):
        print("stardag: not confirmed; nothing was deleted", file=sys.stderr)
        return 1
    done = delete(client, seen.found.garbage)
    if json:
        _print_json(seen, done)
    else:
        _tell(seen, done)
    for uri, problem in islice(done.problems.items(), _PROBLEMS_SHOWN):
        print(f"stardag: {uri} could not be deleted: {problem}", file=sys.stderr)
    if len(done.problems) > _PROBLEMS_SHOWN:
        print(f"stardag: {len(done.problems)} could not be deleted in all", file=sys.stderr)
    return 1 if done.problems else 0


def _unknown_roots(workspace: str, found: Findings) -> str:
    if not found.unknown_roots:
        return ""
    uris = ", ".join(root.uri for root in found.unknown_roots)
    return (
        f"the workspace {workspace!r} knows none of the outputs in {uris}; are they another's, or "
        "made by builds that were not tracked?"
    )


def _waiting_events(config: Config) -> str:
    address = parse_address(config.server.address or "")
    spools = waiting_spools(config.tracking.state_dir)
    waiting = sum(spool.events for spool in spools if is_spool_for(spool.directory, address))
    if not waiting:
        return ""
    return (
        f"{cells.plural(waiting, 'event')} on this machine not delivered, perhaps about outputs "
        "that look like garbage; run `stardag sync` first"
    )


def _confirms(seen: Look) -> bool:
    """Ask for the number of objects to be deleted."""
    count, size = len(seen.found.garbage), decimal(seen.found.garbage_bytes)
    print(
        f"{cells.plural(count, 'object')} ({size}) that no task of the workspace "
        f"{seen.workspace!r} refers to will be deleted. Type {count} to confirm: ",
        end="",
        file=sys.stderr,
        flush=True,
    )
    return sys.stdin.readline().strip() == str(count)


def _tell(seen: Look, done: Deletion) -> None:
    print(seen)
    print(f"{done.deleted} deleted, {decimal(done.deleted_bytes)}")
    if done.spared:
        print(f"{done.spared} spared: their tasks were registered since")


def _print_json(seen: Look, done: Deletion) -> None:
    found = seen.found
    output.print_json(
        {
            "workspace": seen.workspace,
            "roots": {root.name: root.uri for root in seen.roots},
            "counts": {
                "garbage": len(found.garbage),
                "kept": found.kept.total(),
                "young": found.young,
                "other": found.other,
                "spared": done.spared,
                "deleted": done.deleted,
            },
            "obstacle": seen.obstacle,
            "garbage_bytes": found.garbage_bytes,
            "deleted_bytes": done.deleted_bytes,
            "garbage": [each.as_dict() for each in found.garbage],
            "problems": done.problems,
        }
    )
