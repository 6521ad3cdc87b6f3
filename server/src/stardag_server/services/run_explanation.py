"""Why a task ran: what sets it apart from what was run before it."""

import itertools
from uuid import UUID

from stardag.v1.registry_service_pb2 import (
    RUN_CAUSE_FIRST_OF_TYPE,
    RUN_CAUSE_NEVER_COMPLETED,
    RUN_CAUSE_NEW_ID,
    RUN_CAUSE_NOT_RUN,
    RUN_CAUSE_OUTPUT_MISSING,
    ExplainTaskResponse,
    IngredientDifference,
)
from stardag_server.domain.explanation import (
    MAX_DIFFERENCES,
    Difference,
    differences,
    identity,
)
from stardag_server.domain.refusals import BuildNotFound
from stardag_server.services.messages import task_message, task_state_message
from stardag_server.store.queries import AnyRow
from stardag_server.store.store import Store


async def explain(
    store: Store, workspace: int, task: UUID, build: UUID | None
) -> ExplainTaskResponse:
    """Return why the task ran, in this build or in the latest that ran it.

    Raises TaskNotFound; BuildNotFound if the build does not have the task.
    """
    runs = await store.history.runs(workspace, task)
    if build is not None:
        await _check_has(store, workspace, task, build)
        # The latest comes first.
        runs = [*itertools.dropwhile(lambda run: run.build_uuid != build, runs)]
    if not runs:
        return ExplainTaskResponse(cause=RUN_CAUSE_NOT_RUN)
    run, earlier = runs[0], runs[1] if len(runs) > 1 else None
    response = ExplainTaskResponse(state=task_state_message(run, str(run.build_uuid)))
    completed = await store.history.completed_before(task, workspace, run.build_id)
    if completed or earlier:
        response.cause = RUN_CAUSE_OUTPUT_MISSING if completed else RUN_CAUSE_NEVER_COMPLETED
        if earlier:
            response.earlier_state.CopyFrom(task_state_message(earlier, str(earlier.build_uuid)))
        return response
    await _compare(store, workspace, task, run, response)
    return response


async def _check_has(store: Store, workspace: int, task: UUID, build: UUID) -> None:
    row = await store.queries.build(workspace, build)
    if not await store.history.has_task(workspace, row.id, task):
        raise BuildNotFound(build)


async def _compare(
    store: Store, workspace: int, task: UUID, run: AnyRow, response: ExplainTaskResponse
) -> None:
    """Fill in the nearest earlier task of the type, and in what it differs."""
    known, _, _ = await store.history.tasks(workspace, [task])
    own = identity(known[task].identity_json)
    candidates = await store.history.earlier_tasks_of_type(
        workspace, task, run.build_id, run.ordinal
    )
    response.cause = RUN_CAUSE_NEW_ID if candidates else RUN_CAUSE_FIRST_OF_TYPE
    if not candidates:
        return
    # The latest comes first, and the first of equals is kept.
    nearest = min(
        candidates, key=lambda row: sum(1 for _ in differences(identity(row.identity_json), own))
    )
    response.nearest_task.CopyFrom(task_message(nearest, [], None))
    ran = await store.history.runs(workspace, nearest.uuid)
    before = [each for each in ran if each.build_id <= run.build_id]
    if before:
        response.earlier_state.CopyFrom(task_state_message(before[0], str(before[0].build_uuid)))
    found = await _deep(store, workspace, list(differences(identity(nearest.identity_json), own)))
    response.truncated = len(found) > MAX_DIFFERENCES
    response.differences.extend(
        IngredientDifference(path=each.path, earlier_json=each.earlier_json, json=each.json)
        for each in found[:MAX_DIFFERENCES]
    )


async def _deep(store: Store, workspace: int, level: list[Difference]) -> list[Difference]:
    """Follow ingredients that are tasks down to what differs in them, where they are known."""
    found: list[Difference] = []
    seen: set[tuple[UUID, UUID]] = set()
    while level and len(found) <= MAX_DIFFERENCES:
        pairs = [each.tasks for each in level if each.tasks and each.tasks not in seen]
        ids = {task for pair in pairs for task in pair}
        known, _, _ = await store.history.tasks(workspace, ids)
        below: list[Difference] = []
        for each in level:
            pair = each.tasks
            # What two tasks differ in is told where it is met first.
            if pair in seen:
                continue
            texts = [known[task].identity_json for task in pair or () if task in known]
            if pair is None or len(texts) < 2 or None in texts:
                found.append(each)
                continue
            seen.add(pair)
            below += differences(identity(texts[0]), identity(texts[1]), each.path)
        level = below
    return sorted(found, key=lambda each: each.path)
