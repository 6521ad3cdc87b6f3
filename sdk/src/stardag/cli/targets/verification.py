"""Whether the outputs are there, and whole, that were recorded as complete."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Literal

from stardag._errors import StardagError
from stardag._readable import one_line
from stardag.cli import output
from stardag.cli.lists import ids, listing
from stardag.cli.views import cells
from stardag.client import rows
from stardag.target import DirectoryTarget, exists_many, get_directory_target, get_target
from stardag.v1 import registry_service_pb2 as service
from stardag.v1.task_pb2 import TASK_STATUS_COMPLETED, TASK_STATUS_REUSED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stardag.client import Client
    from stardag.target import FileSystemTarget
    from stardag.v1.task_pb2 import TaskState

COMPLETE = (TASK_STATUS_COMPLETED, TASK_STATUS_REUSED)
_AT_ONCE = 10_000  # a whole number of pages of a listing, and few enough to hold


@dataclass(frozen=True, slots=True)
class Problem:
    """An output that is not as it was recorded."""

    task_id: str
    task: str
    output_uri: str
    problem: Literal["missing", "incomplete"]
    missing: list[str] = field(default_factory=list[str])
    """Of a directory that is incomplete: names of what it has lost."""


@dataclass(slots=True)
class Verified:
    """What became of the outputs that were recorded."""

    whole: int = 0
    without_uri: int = 0
    """Number of tasks of whose output no place is recorded."""
    problems: list[Problem] = field(default_factory=list[Problem])


def recorded_outputs(client: Client, build: str | None) -> Iterator[TaskState]:
    """Yield the state of each complete task of a build, or of the workspace.

    Raises what `ids.build_id` raises, `NotFoundError`, and `ServerError` otherwise.
    """
    if build is not None:
        yield from client.list_task_states(ids.build_id(client, build), COMPLETE)
        return
    request = service.ListTasksRequest(
        filter="status = COMPLETED OR status = REUSED", page_size=listing.PAGE
    )
    for task in rows(client.registry.ListTasks, request, lambda page: page.tasks):
        state: TaskState = task.latest_state
        state.output_uri = state.output_uri or task.output_uri
        yield state


def verify_outputs(states: Iterable[TaskState]) -> Verified:
    """Return which outputs there are; stores are asked in bulk.

    A directory is whole if all that its mark lists is there. Every other output was written in
    one step: it is there, or it is not.

    Raises `ConfigError` for a URI whose store is not known, and `StardagError` if one does not
    answer.
    """
    verified = Verified()
    batch: list[TaskState] = []
    for state in states:
        if not state.output_uri:
            verified.without_uri += 1
            continue
        batch.append(state)
        if len(batch) == _AT_ONCE:
            _verify_batch(batch, verified)
            batch.clear()
    _verify_batch(batch, verified)
    return verified


def print_verification(verified: Verified, *, limit: int, json: bool) -> None:
    """Print what was found: as JSON, or as the first `limit` problems."""
    if json:
        output.print_json(asdict(verified))
        return
    for each in verified.problems[:limit]:
        lost = f" (lost: {', '.join(each.missing)})" if each.missing else ""
        line = f"{each.problem}: {each.output_uri}{lost}, of {each.task} {each.task_id}"
        print(one_line(line))
    missing = sum(each.problem == "missing" for each in verified.problems)
    print(
        f"{cells.plural(verified.whole, 'output')} whole, {missing} missing, "
        f"{len(verified.problems) - missing} incomplete"
    )
    if verified.without_uri:
        print(f"of {cells.plural(verified.without_uri, 'task')} no place is recorded")
    listing.tell_cut(limit, len(verified.problems) > limit)


def _verify_batch(states: list[TaskState], verified: Verified) -> None:
    try:
        _verify(states, verified)
    except OSError as error:
        raise StardagError(f"the outputs can't be looked at: {error}") from None


def _verify(states: list[TaskState], verified: Verified) -> None:
    targets = [_target(state.output_uri) for state in states]
    for state, target, exists in zip(states, targets, exists_many(targets), strict=True):
        there = exists or _is_there_as_csv(state.output_uri)
        lost = _lost(target) if exists and isinstance(target, DirectoryTarget) else []
        if there and not lost:
            verified.whole += 1
            continue
        name, kind = cells.type_name(state), "incomplete" if there else "missing"
        verified.problems.append(Problem(state.task_id, name, state.output_uri, kind, lost))


def _is_there_as_csv(uri: str) -> bool:
    """Return whether a frame is there as the 0.1 series wrote it, which loads as well."""
    stem, _, extension = uri.rpartition(".")
    return extension == "parquet" and get_target(f"{stem}.csv").exists()


def _target(uri: str) -> DirectoryTarget | FileSystemTarget[object]:
    return get_directory_target(uri) if uri.endswith("/") else get_target(uri)


def _lost(directory: DirectoryTarget) -> list[str]:
    """Return the names of what a directory's mark lists and is not there."""
    try:
        names = directory.names()
        there = exists_many([directory / name for name in names])
    except ValueError:  # marked by another tool, which does not say what is in it
        return []
    return [name for name, exists in zip(names, there, strict=True) if not exists]
