"""Whether the parts of an archive make a whole build, judged as they come."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from stardag.v1 import event_pb2 as pb
from stardag.v1.asset_pb2 import Asset
from stardag.v1.build_archive_pb2 import (
    ArchivedEvent,
    BuildArchiveEnd,
    BuildArchiveEvents,
    BuildArchiveHeader,
    BuildArchivePart,
    BuildArchiveTasks,
)
from stardag.v1.task_pb2 import TaskDefinition
from stardag_server.domain import limits
from stardag_server.domain.asset_content import ContentInvalid, check_content, media_type
from stardag_server.domain.event_check import check, check_definition, is_id, task_id_of
from stardag_server.domain.refusals import ArchiveInvalid, RequestInvalid, TaskIdMismatch
from stardag_server.domain.texts import checked_name, checked_text

FORMAT = 1
"""The format that is written, and the only one that is read."""

_ORDER = ("header", "tasks", "events", "asset", "end")
_STAGES = {name: stage for stage, name in enumerate(_ORDER)} | {"asset_chunk": 3}


@dataclass(slots=True)
class ArchivedStream:
    """A stream that events of an archive came by."""

    uuid: UUID
    watermark: int = 0
    """Greatest sequence number in the archive."""
    last_seen: int = 0
    """When the last of its events was committed, in microseconds."""


class ArchiveCheck:
    """Takes the parts of an archive one after another, and then has what is to be known of it.

    Both methods raise ArchiveInvalid, or TaskIdMismatch. What went through both is in
    order, whole, and what a server could have written until `now`, in microseconds.
    """

    def __init__(self, now: int) -> None:
        self._latest_commit = now + _DAY_US
        self.build = UUID(int=0)
        self.streams: list[ArchivedStream] = []
        self.first_commit = 0
        """When the first event was committed, in microseconds."""
        self.commit_days: set[int] = set()
        """Days on which events were committed, counted from the Unix epoch."""
        self._number = -1
        self._stage = 0
        self._last_position = 0
        self._position = 0
        self._tasks: set[bytes] = set()
        self._assets: set[tuple[str, str, int]] = set()
        self._asset = Asset()
        self._content = bytearray()
        self._take: Mapping[str, Callable[[Any], None]] = {
            "header": self._take_header,
            "tasks": self._take_tasks,
            "events": self._take_events,
            "asset": self._take_asset,
            "asset_chunk": self._take_chunk,
            "end": self._take_end,
        }

    def take(self, part: BuildArchivePart) -> None:
        """Judge the next part."""
        self._number += 1
        kind = part.WhichOneof("part")
        if kind is None:
            raise self._invalid("it has nothing that this server knows")
        stage = _STAGES[kind]
        if self._number == 0 and kind != "header":
            raise self._invalid("the first part must be the header")
        if self._number and (
            stage < self._stage or kind == "header" or self._stage == len(_ORDER) - 1
        ):
            raise self._invalid(f"{kind} comes out of order, after {_ORDER[self._stage]}")
        if kind != "asset_chunk":
            self._end_asset()
        self._stage = stage
        self._take[kind](getattr(part, kind))

    def finish(self) -> None:
        """Judge whether that was all."""
        if not self._has_ended:
            self._number += 1
            raise self._invalid("the archive ends here, before its last part: it was cut")

    @property
    def has_assets(self) -> bool:
        """Whether there are assets in it."""
        return bool(self._assets)

    @property
    def _has_ended(self) -> bool:
        return _ORDER[self._stage] == "end"

    def _invalid(self, problem: str) -> ArchiveInvalid:
        return ArchiveInvalid(problem, self._number)

    def _take_header(self, header: BuildArchiveHeader) -> None:
        if header.format != FORMAT:
            raise self._invalid(f"format {header.format}; this server reads {FORMAT}")
        if header.incomplete:
            raise self._invalid("some of its events were no longer kept: it can only be looked at")
        if not is_id(header.build_id) or not all(map(is_id, header.stream_ids)):
            raise self._invalid("an id is not a lower-case hyphenated UUID")
        if len({*header.stream_ids}) != len(header.stream_ids):
            raise self._invalid("a stream is named twice")
        self.build = UUID(header.build_id)
        self.streams = [ArchivedStream(UUID(id)) for id in header.stream_ids]
        self._last_position = header.last_position

    def _take_tasks(self, part: BuildArchiveTasks) -> None:
        for definition in part.tasks:
            if not is_id(definition.task_id):
                raise self._invalid("a task's id is not a lower-case hyphenated UUID")
            task = UUID(definition.task_id).bytes
            if task in self._tasks:
                raise self._invalid(f"task {definition.task_id} comes twice")
            if is_defined(definition) and (rejection := check_definition(task, definition)):
                if rejection.reason == pb.EVENT_REJECTION_REASON_TASK_ID_MISMATCH:
                    computed = UUID(bytes=task_id_of(definition.identity_json))
                    raise TaskIdMismatch(UUID(bytes=task), computed, len(self._tasks))
                raise self._invalid(f"task {definition.task_id}: {rejection.message}")
            self._tasks.add(task)

    def _take_events(self, part: BuildArchiveEvents) -> None:
        for archived in part.events:
            self._position += 1
            if archived.position != self._position:
                raise self._invalid(f"position {archived.position} where {self._position} is due")
            if problem := self._problem(archived):
                raise self._invalid(f"the event at position {self._position}: {problem}")
            stream = self.streams[archived.stream_index]
            stream.watermark = max(stream.watermark, archived.sequence)
            stream.last_seen = max(stream.last_seen, archived.commit_time_us)
            self.first_commit = self.first_commit or archived.commit_time_us
            self.commit_days.add(archived.commit_time_us // _DAY_US)
            if len(self.commit_days) > _MAX_DAYS:
                raise self._invalid(f"its events are of more than {_MAX_DAYS} days")

    def _problem(self, archived: ArchivedEvent) -> str | None:
        """Return what is wrong with an event at its place, if anything is."""
        event = archived.event
        if event.build_id != self.build.bytes:
            return "it is of another build"
        if archived.stream_index >= len(self.streams):
            return f"the header has no stream {archived.stream_index}"
        if archived.sequence > limits.MAX_INT64:
            return "its sequence number is too large"
        if not 0 < archived.commit_time_us <= self._latest_commit:
            return "it has no commit time, or one yet to come"
        return _rejection_problem(archived) if archived.rejection else self._event_problem(archived)

    def _event_problem(self, archived: ArchivedEvent) -> str | None:
        event = archived.event
        if event.task_id and event.task_id not in self._tasks:
            return "its task is not in the archive"
        by_server = event.type == pb.EVENT_TYPE_BUILD_CANCEL_REQUESTED and not archived.sequence
        rejection = None if by_server else check(event)
        return rejection.message if rejection else None

    def _take_asset(self, asset: Asset) -> None:
        key = (asset.task_id, asset.name, asset.revision)
        if key in self._assets:
            raise self._invalid("the asset comes twice")
        if problem := self._asset_problem(asset):
            raise self._invalid(f"the asset {problem}")
        self._assets.add(key)
        self._asset = asset

    def _asset_problem(self, asset: Asset) -> str | None:
        try:
            checked_name("name", asset.name)
            checked_text("description", asset.description, limits.MAX_ASSET_DESCRIPTION)
        except RequestInvalid as error:
            return f"has a bad {error.message}"
        made = asset.create_time.ToMicroseconds()
        problems = {
            "has a task_id that is not a lower-case hyphenated UUID": not is_id(asset.task_id),
            "is of another build": asset.build_id != str(self.build),
            f"must have 1 to {limits.MAX_ASSET_BYTES} bytes": (
                not 1 <= asset.size_bytes <= limits.MAX_ASSET_BYTES
            ),
            "has no revision": asset.revision < 1,
            "has no create_time, or one yet to come": not 0 < made <= self._latest_commit,
        }
        return next((problem for problem, is_so in problems.items() if is_so), None)

    def _take_chunk(self, chunk: bytes) -> None:
        self._content += chunk
        if len(self._content) > self._asset.size_bytes:
            raise self._invalid("the content is longer than its asset says")

    def _end_asset(self) -> None:
        """Judge the asset before this part, if there is one, now that it is whole."""
        asset, self._asset = self._asset, Asset()
        content, self._content = bytes(self._content), bytearray()
        if not asset.name:
            return
        if hashlib.sha256(content).hexdigest() != asset.sha256:
            raise self._invalid(f"the content of asset {asset.name!r} before it was cut or changed")
        try:
            if media_type(asset.kind, asset.media_type) != asset.media_type:
                raise ContentInvalid("it has no media_type")
            check_content(asset.kind, asset.media_type, content)
        except ContentInvalid as error:
            raise self._invalid(f"asset {asset.name!r} before it: {error}") from None

    def _take_end(self, end: BuildArchiveEnd) -> None:
        counts = (len(self._tasks), self._position, len(self._assets))
        if counts != (end.task_count, end.event_count, end.asset_count):
            raise self._invalid("tasks, events or assets are missing")
        if not self._position or self._position != self._last_position:
            raise self._invalid("the log does not reach to the position that the header says")


_DAY_US = 24 * 3600 * 1_000_000
_MAX_DAYS = 3_660


def is_defined(definition: TaskDefinition) -> bool:
    """Tell whether an archived task has more than its id."""
    return definition != TaskDefinition(task_id=definition.task_id)


def _rejection_problem(archived: ArchivedEvent) -> str | None:
    if archived.rejection not in pb.EventRejectionReason.values():
        return f"this server knows no rejection {archived.rejection}"
    return None
