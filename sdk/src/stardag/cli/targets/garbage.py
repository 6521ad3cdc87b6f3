"""Outputs that no task of a workspace refers to any more, and their deletion.

docs/adr/ has why the rules are these.
"""

from __future__ import annotations

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from stardag._errors import ConfigError
from stardag.cli.lists import listing, records
from stardag.client import rows
from stardag.target._directory import OLDER_MARK, OLDER_NAMES
from stardag.v1 import registry_service_pb2 as service

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from stardag.cli.targets.roots import Root, RootObject
    from stardag.client import Client
    from stardag.v1.task_pb2 import Task

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ASKED_AT_ONCE = 1000
_DELETED_AT_ONCE = 32


class KeptTasks:
    """The tasks that a workspace has, those they take as parameters, and all their outputs."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        """Take in the tasks."""
        self._ids: set[int] = set()  # a task is its number: there may be millions
        self._uris: set[str] = set()
        for task in tasks:
            # a parameter may be a task that was forgotten with its last build
            for task_id in (task.task_id, *_ID.findall(task.params_json)):
                self._ids.add(UUID(task_id).int)
            for uri in (task.output_uri, task.latest_state.output_uri):
                if uri and task.task_id not in uri:
                    self._uris.add(uri)

    def refer_to(self, uri: str) -> bool:
        """Return whether an object is an output of one of the tasks, or part of one.

        It is if such a task's id is in its URI, however the root is called where the task was
        built, or if it is at, or below, a place that was recorded as an output.
        """
        if any(UUID(found).int in self._ids for found in _ID.findall(uri)):
            return True
        return not self._uris.isdisjoint(_places(uri))


def read_kept(client: Client) -> KeptTasks:
    """Return the tasks of the client's workspace. Raises `ServerError`."""
    request = service.ListTasksRequest(page_size=listing.PAGE)
    return KeptTasks(rows(client.registry.ListTasks, request, lambda page: page.tasks))


@dataclass(slots=True)
class Findings:
    """What is below the roots, by what is to become of it."""

    garbage: list[RootObject] = field(default_factory=list["RootObject"])
    """Outputs of tasks that are not kept."""
    kept: Counter[str] = field(default_factory=Counter[str])
    """Number of objects that a kept task refers to, by the name of the root."""
    young: int = 0
    """Number of objects that would be garbage if they were older."""
    other: int = 0
    """Number of objects that are not where outputs are placed, and so nobody's to delete."""

    @property
    def garbage_bytes(self) -> int:
        """Bytes of the garbage."""
        return sum(each.size_bytes for each in self.garbage)

    @property
    def unknown_roots(self) -> list[Root]:
        """The roots in which there is garbage, and nothing that is kept."""
        roots = {each.root.name: each.root for each in self.garbage}
        return [root for name, root in roots.items() if not self.kept[name]]


def sort_out(objects: Iterable[RootObject], kept: KeptTasks, written_before: float) -> Findings:
    """Return what becomes of each object; `written_before` is in seconds since the epoch."""
    found = Findings()
    for each in objects:
        if kept.refer_to(each.uri):
            found.kept[each.root.name] += 1
        elif each.task_id is None:
            found.other += 1
        elif each.modified > written_before:
            found.young += 1
        else:
            found.garbage.append(each)
    return found


@dataclass(slots=True)
class Deletion:
    """What became of garbage that was to be deleted."""

    deleted: int = 0
    deleted_bytes: int = 0
    spared: int = 0
    """Number of objects whose tasks were registered since they were found to be garbage."""
    problems: dict[str, str] = field(default_factory=dict[str, str])
    """Why objects could not be deleted, by URI."""


def delete(client: Client, garbage: Sequence[RootObject]) -> Deletion:
    """Delete garbage, but not the outputs of tasks that the workspace has by now.

    It is asked again before each thousand. Raises `ServerError`; what was deleted by then stays so.
    """
    done = Deletion()
    with ThreadPoolExecutor(_DELETED_AT_ONCE) as pool:
        for start in range(0, len(garbage), _ASKED_AT_ONCE):
            batch = garbage[start : start + _ASKED_AT_ONCE]
            asked = sorted({each.task_id for each in batch if each.task_id})
            known = {task.task_id for task in records.find(client, asked)}
            doomed = [each for each in batch if each.task_id not in known]
            done.spared += len(batch) - len(doomed)
            for each, problem in zip(doomed, pool.map(_delete, doomed), strict=True):
                if problem:
                    done.problems[each.uri] = problem
                else:
                    done.deleted += 1
                    done.deleted_bytes += each.size_bytes
    return done


def _places(uri: str) -> Iterator[str]:
    """Yield the URIs of outputs that an object may be, or be part of."""
    yield uri
    for mark in (OLDER_MARK, OLDER_NAMES):
        if uri.endswith(mark):
            yield f"{uri.removesuffix(mark)}/"
    while "/" in uri:
        uri = uri.rpartition("/")[0]
        yield f"{uri}/"


def _delete(each: RootObject) -> str:
    """Delete an object; return why that could not be done, if it could not."""
    try:
        each.root.store.delete(each.path)
    except (OSError, ConfigError) as error:
        return str(error)
    return ""
