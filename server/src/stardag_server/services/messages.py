"""From rows to the messages of the contract."""

import time
from collections.abc import Callable
from types import SimpleNamespace
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from stardag.v1 import event_pb2
from stardag.v1.asset_pb2 import Asset
from stardag.v1.build_pb2 import Build, SourceRevision
from stardag.v1.registry_service_pb2 import LineageDirection, LineageNode
from stardag.v1.task_pb2 import Task, TaskState, TaskStatus
from stardag_server.store.queries import BUILD_COLUMNS, AnyRow

_ID_BYTES = 16
_READ_DETAILS = ("build_end", "output", "failure", "progress", "wait", "events_lost")
"""Details of an event that are read back with it."""
_BUILD_NAMES = tuple(column.name for column in BUILD_COLUMNS)


def timestamp(microseconds: int) -> Timestamp | None:
    """Return the moment; None for 0, which is a moment not known."""
    if not microseconds:
        return None
    moment = Timestamp()
    set_moment(moment, microseconds)
    return moment


def now() -> Timestamp | None:
    """Return the moment by this server's clock."""
    return timestamp(time.time_ns() // 1_000)


def set_moment(moment: Timestamp, microseconds: int) -> None:
    """Set a field to the moment, in half the time of a message made for it; 0 leaves it unset."""
    if microseconds:
        moment.seconds, rest = divmod(microseconds, 1_000_000)
        moment.nanos = rest * 1_000


def build_message(found: AnyRow, root_task_ids: list[str] | None = None) -> Build:
    """Return the build of a row that begins with the BUILD_COLUMNS of the queries."""
    # A row of SQLAlchemy takes longer to find its columns by name than all the rest takes.
    row = SimpleNamespace(**dict(zip(_BUILD_NAMES, found, strict=False)))
    build = Build(
        build_id=str(row.uuid),
        status=row.status,
        root_task_ids=root_task_ids,
        name=row.name,
        description=row.description,
        labels=row.labels,
        client=row.client,
        host=row.host,
        runtime=row.runtime,
        command=row.command,
        trace_id=row.uuid.hex,
        duration_us=row.duration,
        reason=row.reason,
        cancel_reason=row.cancel_reason,
    )
    set_moment(build.start_time, row.start_time)
    set_moment(build.end_time, row.end_time)
    set_moment(build.update_time, row.update_time)
    set_moment(build.cancel_time, row.cancel_time)
    for status, count in enumerate(row.task_counts):
        if count:
            build.task_counts.add(status=TaskStatus.ValueType(status), count=count)
    completeness = build.completeness
    completeness.recorded_events = row.head
    completeness.lost_events = row.lost_events
    completeness.rejected_events = row.rejected_events
    completeness.SetInParent()
    if row.source:
        build.source.CopyFrom(SourceRevision(**row.source))
    return build


def task_state_message(
    row: AnyRow, build_id: str, make: Callable[[], TaskState] = TaskState
) -> TaskState:
    """Return the state of a row that begins with the `state_columns` of the queries.

    `make` may be the `add` of a list of states: what a list itself made needs no copy.
    """
    # By place: with ten thousand rows at once, columns by name take as long as all the rest.
    (
        task,
        _ordinal,
        status,
        attempt,
        start_time,
        end_time,
        duration,
        failure,
        progress,
        namespace,
        name,
        output_uri,
        position,
        *_others,
    ) = row
    # One by one: as arguments by keyword they take half as long again.
    state = make()
    state.task_id = str(task)
    state.build_id = build_id
    state.status = status
    state.attempt = attempt
    state.duration_us = duration
    state.namespace = namespace or ""
    state.name = name or ""
    state.output_uri = output_uri or ""
    state.position = position
    if progress is not None:
        state.progress = progress
    set_moment(state.start_time, start_time)
    set_moment(state.end_time, end_time)
    if failure is not None:
        state.failure.ParseFromString(failure)
    return state


def task_message(row: AnyRow, dependencies: list[UUID], state: AnyRow | None) -> Task:
    """Return the task of a row with all columns of tasks."""
    placeholder = row.identity_json is None
    return Task(
        task_id=str(row.uuid),
        namespace=row.namespace or "",
        name=row.name or "",
        version=row.version or "",
        identity_json=row.identity_json or "",
        params_json=row.params_json or row.identity_json or "",
        output_uri=row.output_uri or "",
        dependency_ids=[str(upstream) for upstream in dependencies],
        latest_state=task_state_message(state, str(state.build_uuid)) if state else None,
        create_time=timestamp(row.create_time),
        placeholder=placeholder,
    )


def listed_task_message(row: AnyRow) -> Task:
    """Return the task of a row of `Listing.tasks`, with its latest state if it has one."""
    task = Task(
        task_id=str(row.task_uuid),
        namespace=row.namespace or "",
        name=row.name or "",
        version=row.version or "",
        params_json=row.shown_params or "",
        output_uri=row.output_uri or "",
        create_time=timestamp(row.create_time),
        placeholder=row.shown_params is None,
    )
    if row.build_uuid is not None:
        task.latest_state.CopyFrom(task_state_message(row, str(row.build_uuid)))
    return task


def lineage_node(
    row: AnyRow, state: AnyRow | None, depth: int, direction: int, cut: bool
) -> LineageNode:
    """Return the node of a task's row and of its latest state, without the long texts."""
    task = task_message(row, [], state)
    task.ClearField("identity_json")
    task.ClearField("params_json")
    return LineageNode(
        task=task, depth=depth, direction=LineageDirection.ValueType(direction), cut=cut
    )


def event_message(row: AnyRow, build_id: str) -> event_pb2.Event:
    """Return the event of a row of `Queries.events`."""
    event = event_pb2.Event(
        position=row.position,
        build_id=build_id,
        task_id=str(row.task_uuid) if row.task_uuid else "",
        type=row.type,
        attempt=row.attempt,
        event_time=timestamp(row.event_time),
        commit_time=timestamp(row.commit_time),
        stream_id=str(row.stream_uuid),
        sequence=row.sequence,
        rejection=row.rejection or event_pb2.EVENT_REJECTION_REASON_UNSPECIFIED,
        rejection_message=row.rejection_message or "",
    )
    if row.detail is not None:
        rest = event_pb2.NewEvent.FromString(row.detail)
        event.fencing_token = rest.fencing_token
        if len(rest.task_id) == _ID_BYTES:
            event.task_id = str(UUID(bytes=rest.task_id))
        detail = rest.WhichOneof("detail")
        if detail in _READ_DETAILS:
            getattr(event, detail).CopyFrom(getattr(rest, detail))
    return event


def stray_event_message(row: AnyRow) -> event_pb2.Event:
    """Return the event of a row of `RejectedEvents` that names no known build."""
    received = event_pb2.NewEvent.FromString(row.event)
    event = event_pb2.Event(
        type=received.type,
        attempt=received.attempt,
        event_time=timestamp(received.event_time_us),
        commit_time=timestamp(row.commit_time),
        stream_id=str(row.stream_uuid),
        sequence=row.sequence,
        rejection=row.rejection,
        rejection_message=row.rejection_message,
    )
    if len(received.build_id) == _ID_BYTES:
        event.build_id = str(UUID(bytes=received.build_id))
    if len(received.task_id) == _ID_BYTES:
        event.task_id = str(UUID(bytes=received.task_id))
    return event


def asset_message(row: AnyRow) -> Asset:
    """Return the revision of an asset of a row with all columns of assets."""
    return Asset(
        task_id=str(row.task_uuid),
        name=row.name,
        kind=row.kind,
        media_type=row.media_type,
        description=row.description,
        size_bytes=row.size,
        sha256=row.sha256.hex(),
        revision=row.revision,
        build_id=str(row.build_uuid or ""),
        create_time=timestamp(row.create_time),
    )
