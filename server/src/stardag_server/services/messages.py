"""From rows to the messages of the contract."""

from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from stardag.v1 import event_pb2
from stardag.v1.asset_pb2 import Asset
from stardag.v1.build_pb2 import Build, BuildCompleteness, SourceRevision, TaskStatusCount
from stardag.v1.registry_service_pb2 import LineageDirection, LineageNode
from stardag.v1.task_pb2 import Task, TaskFailure, TaskState, TaskStatus
from stardag_server.store.queries import AnyRow

_READ_DETAILS = ("build_end", "output", "failure", "progress", "wait", "events_lost")
"""Details of an event that are read back with it."""


def timestamp(microseconds: int) -> Timestamp | None:
    """Return the moment; None for 0, which is a moment not known."""
    if not microseconds:
        return None
    seconds, rest = divmod(microseconds, 1_000_000)
    return Timestamp(seconds=seconds, nanos=rest * 1_000)


def build_message(row: AnyRow, root_task_ids: list[str] | None = None) -> Build:
    """Return the build of a row of `Queries.build` or `Queries.builds`."""
    build = Build(
        build_id=str(row.uuid),
        status=row.status,
        root_task_ids=root_task_ids or (),
        name=row.name,
        description=row.description,
        labels=row.labels,
        client=row.client,
        host=row.host,
        trace_id=row.uuid.hex,
        start_time=timestamp(row.start_time),
        end_time=timestamp(row.end_time),
        duration_us=row.duration,
        update_time=timestamp(row.update_time),
        reason=row.reason,
        cancel_time=timestamp(row.cancel_time),
        cancel_reason=row.cancel_reason,
        task_counts=[
            TaskStatusCount(status=TaskStatus.ValueType(status), count=count)
            for status, count in enumerate(row.task_counts)
            if count
        ],
        completeness=BuildCompleteness(
            recorded_events=row.head,
            lost_events=row.lost_events,
            rejected_events=row.rejected_events,
        ),
    )
    if row.source:
        build.source.CopyFrom(SourceRevision(**row.source))
    return build


def task_state_message(row: AnyRow, build_id: str) -> TaskState:
    """Return the state of a row of the queries for states."""
    state = TaskState(
        task_id=str(row.task_uuid),
        build_id=build_id,
        status=row.status,
        attempt=row.attempt,
        start_time=timestamp(row.start_time),
        end_time=timestamp(row.end_time),
        duration_us=row.duration,
        progress=row.progress,
        namespace=row.namespace or "",
        name=row.name or "",
        output_uri=row.output_uri or "",
        position=row.position,
    )
    if row.failure is not None:
        state.failure.CopyFrom(TaskFailure.FromString(row.failure))
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
        task_id=str(row.uuid),
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
        if len(rest.task_id) == 16:
            event.task_id = str(UUID(bytes=rest.task_id))
        detail = rest.WhichOneof("detail")
        if detail in _READ_DETAILS:
            getattr(event, detail).CopyFrom(getattr(rest, detail))
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
