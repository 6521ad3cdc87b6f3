"""From rows of the log back to events."""

from uuid import UUID

from stardag.v1 import event_pb2 as pb
from stardag_server.store.queries import AnyRow


def restored(row: AnyRow, build: UUID) -> pb.NewEvent:
    """Return the event of a row, as received but for a definition that is kept with the task.

    The row has the columns of the log, and the task's id as `task_uuid`.
    """
    event = pb.NewEvent.FromString(row.detail or b"")
    event.build_id = build.bytes
    if row.task_uuid:
        event.task_id = row.task_uuid.bytes
    event.type = row.type
    event.attempt = row.attempt
    event.event_time_us = row.event_time
    event.monotonic_us = row.monotonic
    return event
