"""`stardag targets gc`, from what is looked at to what is said."""

from __future__ import annotations

import sys
import time
from itertools import islice
from typing import TYPE_CHECKING

from rich.filesize import decimal

from stardag._errors import ConfigError, StardagError
from stardag.cli import output
from stardag.cli.garbage import Deletion, delete, read_kept, sort_out
from stardag.cli.object_table import object_table
from stardag.cli.roots import objects_below
from stardag.client import connect
from stardag.config import get_config
from stardag.tracking.address import parse_address
from stardag.tracking.route import is_spool_for
from stardag.tracking.waiting import waiting_spools
from stardag.v1.auth_service_pb2 import GetCallerRequest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from stardag.cli.garbage import Findings
    from stardag.cli.roots import Root
    from stardag.client import Client

_PROBLEMS_SHOWN = 10


class Collection:
    """One look for garbage below some roots, and what is done about it."""

    def __init__(self, roots: Sequence[Root], older_than: timedelta) -> None:
        """Prepare to look. Raises `ConfigError` if no server is configured."""
        if older_than.total_seconds() < 0:
            raise ConfigError("--older-than must not be negative")
        self._roots = roots
        self._older_than = older_than
        self._config = get_config()

    def show(self, limit: int, json: bool) -> int:
        """Print what would be deleted; return 0."""
        with connect(self._config) as client:
            self._look(client)
        if json:
            self._print_json(Deletion(), self._obstacle())
            return 0
        console = output.console()
        garbage = self._found.garbage
        if garbage:
            console.print(object_table(garbage[:limit]))
        if len(garbage) > limit:
            console.print(f"{len(garbage) - limit} more objects: --limit {len(garbage)}")
        console.print(self._said())
        if garbage:
            print(self._obstacle() or "Nothing was deleted: --delete does that.", file=sys.stderr)
        return 0

    def delete(self, *, confirmed: bool, json: bool) -> int:
        """Delete garbage once that is confirmed; return 1 if not all of it is gone, else 0.

        Raises `StardagError` if what is known does not allow to tell garbage from what is needed.
        """
        with connect(self._config) as client:
            self._look(client)
            if obstacle := self._obstacle():
                raise StardagError(obstacle)
            if self._found.garbage and not confirmed and not self._confirms():
                print("stardag: not confirmed; nothing was deleted", file=sys.stderr)
                return 1
            done = delete(client, self._found.garbage)
        if json:
            self._print_json(done, obstacle="")
        else:
            freed = decimal(done.deleted_bytes)
            output.console().print(f"{self._said()}\n{done.deleted} deleted, {freed}")
            if done.spared:
                output.console().print(f"{done.spared} spared: their tasks were registered since")
        for uri, problem in islice(done.problems.items(), _PROBLEMS_SHOWN):
            print(f"stardag: {uri} could not be deleted: {problem}", file=sys.stderr)
        if len(done.problems) > _PROBLEMS_SHOWN:
            print(f"stardag: {len(done.problems)} could not be deleted in all", file=sys.stderr)
        return 1 if done.problems else 0

    def _look(self, client: Client) -> None:
        """Find out what is garbage. What is written while this goes on is not."""
        written_before = time.time() - self._older_than.total_seconds()
        self._workspace = client.auth.GetCaller(GetCallerRequest()).workspace
        # in this order: a task that is registered in between is known, and so kept
        objects = list(objects_below(self._roots))
        self._found: Findings = sort_out(objects, read_kept(client), written_before)

    def _obstacle(self) -> str:
        """Return why garbage can't be told from what is needed; empty if it can."""
        if unknown := self._found.unknown_roots:
            uris = ", ".join(root.uri for root in unknown)
            return (
                f"the workspace {self._workspace!r} knows none of the outputs in {uris}: are they "
                "another's, or made by builds that were not tracked? Nothing is deleted"
            )
        address = parse_address(self._config.server.address or "")
        spools = waiting_spools(self._config.tracking.state_dir)
        waiting = sum(s.events for s in spools if is_spool_for(s.directory, address))
        if waiting:
            return (
                f"{waiting} events wait on this machine, and may be about outputs that look like "
                "garbage: run `stardag sync` first. Nothing is deleted"
            )
        return ""

    def _confirms(self) -> bool:
        """Ask for the number of objects to be deleted."""
        count, size = len(self._found.garbage), decimal(self._found.garbage_bytes)
        print(
            f"{count} objects ({size}) that no task of the workspace {self._workspace!r} refers "
            f"to will be deleted. Type {count} to confirm: ",
            end="",
            file=sys.stderr,
            flush=True,
        )
        return sys.stdin.readline().strip() == str(count)

    def _said(self) -> str:
        found = self._found
        return (
            f"{len(found.garbage)} objects are garbage, {decimal(found.garbage_bytes)}; "
            f"{found.kept.total()} are kept, {found.young} are too young, "
            f"{found.other} are not where outputs are placed"
        )

    def _print_json(self, done: Deletion, obstacle: str) -> None:
        found = self._found
        output.print_json(
            {
                "workspace": self._workspace,
                "roots": {root.name: root.uri for root in self._roots},
                "counts": {
                    "garbage": len(found.garbage),
                    "kept": found.kept.total(),
                    "young": found.young,
                    "other": found.other,
                    "spared": done.spared,
                    "deleted": done.deleted,
                },
                "obstacle": obstacle,
                "garbage_bytes": found.garbage_bytes,
                "deleted_bytes": done.deleted_bytes,
                "garbage": [each.as_dict() for each in found.garbage],
                "problems": done.problems,
            }
        )
