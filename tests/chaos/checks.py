"""What must hold when everything has settled, whatever happened before.

`findings` says in words what does not.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING
from uuid import UUID

from stardag.client import Client
from stardag.tracking.connection.address import parse_address
from stardag.tracking.connection.credential import Credential
from stardag.v1.build_pb2 import BuildStatus
from stardag.v1.event_pb2 import NewEvent

from .database import Database, Stored, read_database
from .journal import Kept, Lost

if TYPE_CHECKING:
    from .stage import Stage

_ENDS = {
    "BUILD_COMPLETED": "COMPLETED",
    "BUILD_FAILED": "FAILED",
    "BUILD_CANCELLED": "CANCELLED",
    "PRODUCER_DIED": "ABANDONED",
}
_STATUSES = {"TASK_STARTED": "RUNNING", "TASK_RESUMED": "RUNNING"}
"""Of tasks, where an event is not called as what it leads to."""
_TASK_ENDS = {
    "TASK_COMPLETED",
    "TASK_REUSED",
    "TASK_FAILED",
    "TASK_SKIPPED",
    "TASK_CANCELLED",
}


def findings(stage: Stage) -> list[str]:
    """Return what is wrong, in words; empty if all is as promised."""
    database = asyncio.run(read_database(stage.database_url))
    journals = [builder.journal() for builder in stage.builders]
    kept = [record for journal in journals for record in journal if isinstance(record, Kept)]
    return [
        *_delivery(database, kept),
        *_order(database),
        *_refusals(database),
        *_losses(database, journals),
        *_statuses(database, stage),
        *_task_statuses(database),
        *_outcomes(stage),
    ]


def _delivery(database: Database, kept: list[Kept]) -> Iterator[str]:
    """What was appended is there, once, byte for byte, and there is nothing else."""
    stored: defaultdict[UUID, defaultdict[int, list[Stored]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for each in database.events:
        stored[each.stream][each.sequence].append(each)
    appended: defaultdict[UUID, dict[int, bytes]] = defaultdict(dict)
    for each in kept:
        if each.event:  # the end mark is no event
            appended[each.stream][each.sequence] = each.event
    for stream, events in appended.items():
        for sequence, event in events.items():
            copies = stored[stream][sequence]
            if not copies:
                yield f"event {sequence} of {stream} was appended and is not stored"
            elif (said := _difference(copies[0].event, event, database)) is not None:
                yield f"event {sequence} of {stream} is not stored as it was appended: {said}"
    for stream, copies in stored.items():
        numbers = sorted(copies)
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"the events of {stream} have gaps: {numbers}"
        doubled = [number for number in numbers if len(copies[number]) > 1]
        if doubled:
            yield f"events {doubled} of {stream} are stored more than once"
        # a builder may have been killed between an append and its note of that
        others = [copies[number][0] for number in numbers if number not in appended[stream]]
        unknown = [each.type for each in others if each.type != "PRODUCER_DIED"]
        if len(unknown) > 1:
            yield f"{stream} has events that nobody appended: {unknown}"


def _difference(stored: NewEvent, appended: bytes, database: Database) -> str | None:
    event = NewEvent.FromString(appended)
    if event.HasField("definition") and not stored.HasField("definition"):
        if database.definitions.get(event.task_id) != event.definition.identity_json:
            return f"the definition of task {event.task_id.hex()} is another"
        stored.definition.CopyFrom(event.definition)
    found = stored.SerializeToString()
    return None if found == appended else f"{found.hex()} for {appended.hex()}"


def _order(database: Database) -> Iterator[str]:
    """The events of a stream are in its order in the log of each build."""
    last: dict[tuple[UUID, UUID], int] = {}
    for each in database.events:
        place = (each.build, each.stream)
        if each.sequence < last.get(place, 0):
            yield f"event {each.sequence} of {each.stream} is stored after {last[place]}"
        last[place] = each.sequence


def _refusals(database: Database) -> Iterator[str]:
    """The server has applied all that was told, and has not met anything it can't place."""
    for each in database.events:
        if each.rejection is not None:
            yield f"{each.type} ({each.sequence} of {each.stream}) was rejected: {each.rejection}"
    if database.strays:
        yield f"{database.strays} events name no build"


def _losses(database: Database, journals: list[list[Kept | Lost]]) -> Iterator[str]:
    """What a full disk took is said by EVENTS_LOST, if anything was said after it."""
    said: defaultdict[UUID, int] = defaultdict(int)
    for each in database.events:
        if each.type == "EVENTS_LOST":
            said[each.build] += each.event.events_lost.count
    for journal in journals:
        lost: defaultdict[UUID, int] = defaultdict(int)
        due = False
        for record in journal:
            if isinstance(record, Lost):
                lost[UUID(bytes=NewEvent.FromString(record.event).build_id)] += 1
            due = bool(lost) and isinstance(record, Kept) and bool(record.event)
        for build, count in lost.items():
            told = said.pop(build, 0)
            if told > count or (due and told != count):
                yield f"{count} events of {build} were lost, and {told} are said to be"
    for build, told in said.items():
        yield f"{told} events of {build} are said to be lost, and none was"


def _statuses(database: Database, stage: Stage) -> Iterator[str]:
    """A build is shown to have ended as its log says; what has no end there, as abandoned."""
    expected: dict[UUID, str] = {}
    for each in database.events:
        if (status := _ENDS.get(each.type)) is not None or each.build not in expected:
            expected[each.build] = status or "RUNNING"
    for server in stage.servers:
        credential = Credential(None, server.data_dir / "token")
        with Client(parse_address(server.address), credential) as client:
            shown = {
                UUID(build.build_id): BuildStatus.Name(build.status).removeprefix("BUILD_STATUS_")
                for build in client.list_builds()
            }
        for build, status in expected.items():
            if status == "RUNNING" or shown.get(build) != status:
                yield f"{build} is {shown.get(build)}, and {status} by its log"
        if more := shown.keys() - expected.keys():
            yield f"there are builds without events: {more}"


def _task_statuses(database: Database) -> Iterator[str]:
    """A task has completed if an attempt has; else it is where the latest is, if that can go on."""
    told: defaultdict[tuple[UUID, bytes], dict[int, str]] = defaultdict(dict)
    dead: set[UUID] = set()
    for each in database.events:
        if each.type == "PRODUCER_DIED":
            dead.add(each.build)
        elif each.event.task_id and each.type != "TASK_PROGRESSED":
            told[each.build, each.event.task_id][each.event.attempt] = each.type
    for task, by_attempt in told.items():
        completed = "TASK_COMPLETED" in by_attempt.values()
        last = "TASK_COMPLETED" if completed else by_attempt[max(by_attempt)]
        status = _STATUSES.get(last, last.removeprefix("TASK_"))
        if last not in _TASK_ENDS and task[0] in dead:
            status = "CANCELLED"
        if database.tasks.get(task) != status:
            yield f"a task of {task[0]} is {database.tasks.get(task)}, and {status} by its log"
    if more := database.tasks.keys() - told.keys():
        yield f"there are tasks without events: {more}"
    for build, counts in database.counts.items():
        found = Counter(status for task, status in database.tasks.items() if task[0] == build)
        if counts != found:
            yield f"{build} is said to have {counts}, and has {found}"


def _outcomes(stage: Stage) -> Iterator[str]:
    """A build's exit code, words and outputs are what they are when nobody is told of it."""
    for number, builder in enumerate(stage.builders):
        untracked = stage.untracked(builder.kind)
        if builder.killed:
            wrong = builder.outputs().items() - untracked.outputs.items()
            if wrong:
                yield f"builder {number} was killed and left wrong outputs: {sorted(wrong)}"
        elif builder.outcome != untracked:
            yield f"builder {number}: {builder.outcome} is not {untracked}"
