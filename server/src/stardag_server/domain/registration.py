"""Tasks that are registered outside any build."""

from collections.abc import Sequence
from uuid import UUID

from stardag.v1 import event_pb2 as pb
from stardag.v1.task_pb2 import TaskDefinition
from stardag_server.domain import limits
from stardag_server.domain.event_check import check_definition, is_id, task_id_of
from stardag_server.domain.refusals import MessageTooLarge, RequestInvalid, TaskIdMismatch


def definitions_by_task(tasks: Sequence[TaskDefinition]) -> dict[bytes, TaskDefinition]:
    """Return the definitions of a request by the 16 bytes of the task's id.

    Raises MessageTooLarge for too many, TaskIdMismatch for one that does not hash
    to its id, and RequestInvalid, which names its place, for what else is wrong.
    """
    if not tasks:
        raise RequestInvalid.of("tasks", "must not be empty")
    if len(tasks) > limits.MAX_PART_ITEMS:
        raise MessageTooLarge("tasks", limits.MAX_PART_ITEMS, len(tasks))
    found: dict[bytes, TaskDefinition] = {}
    for index, definition in enumerate(tasks):
        task = _checked_id(index, definition)
        if found.setdefault(task, definition) != definition:
            raise RequestInvalid.of(
                f"tasks[{index}]", "defines a task that another defines differently"
            )
    return found


def _checked_id(index: int, definition: TaskDefinition) -> bytes:
    if not is_id(definition.task_id):
        raise RequestInvalid.of(f"tasks[{index}].task_id", "must be a lower-case hyphenated UUID")
    task = UUID(definition.task_id)
    rejection = check_definition(task.bytes, definition)
    if rejection is None:
        return task.bytes
    if rejection.reason == pb.EVENT_REJECTION_REASON_TASK_ID_MISMATCH:
        raise TaskIdMismatch(task, UUID(bytes=task_id_of(definition.identity_json)), index)
    raise RequestInvalid.of(f"tasks[{index}].{rejection.field}", rejection.message)
