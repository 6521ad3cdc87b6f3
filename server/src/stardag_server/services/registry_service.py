"""stardag.v1.RegistryService."""

from collections.abc import AsyncIterator, Sequence
from operator import attrgetter
from uuid import UUID

from stardag.v1.registry_service_pb2 import (
    LINEAGE_DIRECTION_BOTH,
    LINEAGE_DIRECTION_DOWNSTREAM,
    LINEAGE_DIRECTION_UNSPECIFIED,
    LINEAGE_DIRECTION_UPSTREAM,
    BatchGetTasksRequest,
    BatchGetTasksResponse,
    ExplainTaskRequest,
    ExplainTaskResponse,
    FindProducersRequest,
    FindProducersResponse,
    GetLineageRequest,
    GetLineageResponse,
    GetTaskHistoryRequest,
    GetTaskHistoryResponse,
    GetTaskRequest,
    GetTaskResponse,
    ListTasksRequest,
    ListTasksResponse,
    Producer,
    RegisterTasksRequest,
    RegisterTasksResponse,
    SuggestFilterValuesRequest,
    SuggestFilterValuesResponse,
)
from stardag.v1.task_pb2 import Task, TaskState
from stardag_server.auth.principal import caller
from stardag_server.domain import limits
from stardag_server.domain.filter_fields import TASK_FIELDS
from stardag_server.domain.filters import parse
from stardag_server.domain.ids import parse_id
from stardag_server.domain.ordering import parse_order
from stardag_server.domain.pages import Paging, parts
from stardag_server.domain.refusals import MessageTooLarge, RequestInvalid
from stardag_server.domain.registration import definitions_by_task
from stardag_server.services.filter_suggestions import suggest
from stardag_server.services.messages import (
    lineage_node,
    listed_task_message,
    task_message,
    task_state_message,
)
from stardag_server.services.run_explanation import explain
from stardag_server.store.listing import TASK_ORDERS
from stardag_server.store.queries import AnyRow
from stardag_server.store.store import Store

_DEFAULT_TASKS = 50
_DEFAULT_LINEAGE = 10_000
_MAX_LINEAGE = 100_000
_EDGES_IN_PART = 50_000
_DIRECTIONS = {
    LINEAGE_DIRECTION_UPSTREAM: (LINEAGE_DIRECTION_UPSTREAM,),
    LINEAGE_DIRECTION_DOWNSTREAM: (LINEAGE_DIRECTION_DOWNSTREAM,),
    LINEAGE_DIRECTION_BOTH: (LINEAGE_DIRECTION_UPSTREAM, LINEAGE_DIRECTION_DOWNSTREAM),
}


class RegistryService:
    """What is known of tasks. The contract is in the proto file."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def register_tasks(self, request: RegisterTasksRequest) -> RegisterTasksResponse:
        """Register tasks outside any build, all or none."""
        definitions = definitions_by_task(request.tasks)
        existing = await self._store.register(caller().workspace, definitions)
        return RegisterTasksResponse(
            created_count=len(definitions) - len(existing), existing_count=len(existing)
        )

    async def get_task(self, request: GetTaskRequest) -> GetTaskResponse:
        """Return one task."""
        task = parse_id("task_id", request.task_id)
        row, dependencies, state = await self._store.queries.task(caller().workspace, task)
        return GetTaskResponse(task=task_message(row, dependencies, state))

    async def batch_get_tasks(self, request: BatchGetTasksRequest) -> BatchGetTasksResponse:
        """Return several tasks, and which are not known."""
        ids = _parse_ids(request.task_ids)
        rows, upstreams, states = await self._store.history.tasks(caller().workspace, ids)
        known = [rows[id] for id in ids if id in rows]
        messages = (
            task_message(row, upstreams.get(row.id, []), states.get(row.id)) for row in known
        )
        tasks = next(parts(messages), list[Task]())
        return BatchGetTasksResponse(
            tasks=tasks,
            missing_task_ids=[str(id) for id in ids if id not in rows],
            unread_task_ids=[str(row.uuid) for row in known[len(tasks) :]],
        )

    async def find_producers(self, request: FindProducersRequest) -> FindProducersResponse:
        """Return which attempts made the outputs of tasks."""
        ids = _parse_ids(request.task_ids)
        found = await self._store.history.producers(caller().workspace, ids)
        return FindProducersResponse(
            producers=[
                Producer(task_id=str(id), build_id=str(found[id][0]), attempt=found[id][1])
                for id in ids
                if id in found
            ]
        )

    async def list_tasks(self, request: ListTasksRequest) -> ListTasksResponse:
        """List tasks that match a filter."""
        asked = Paging(request, _DEFAULT_TASKS)
        rows = await self._store.listing.tasks(
            caller().workspace,
            asked.after,
            asked.limit,
            condition=parse(request.filter, TASK_FIELDS),
            order=parse_order(request.order_by, TASK_ORDERS),
        )
        tasks, token = asked.page(rows, listed_task_message, attrgetter("id"))
        return ListTasksResponse(tasks=tasks, next_page_token=token)

    async def suggest_filter_values(
        self, request: SuggestFilterValuesRequest
    ) -> SuggestFilterValuesResponse:
        """Suggest fields, or values of a field, to complete a filter with."""
        return await suggest(self._store.samples, caller().workspace, request)

    async def get_lineage(self, request: GetLineageRequest) -> AsyncIterator[GetLineageResponse]:
        """Yield what a task depends on, or what depends on it: all nodes, then all edges."""
        task = parse_id("task_id", request.task_id)
        if request.direction not in _DIRECTIONS:
            raise RequestInvalid.of("direction", "must be UPSTREAM, DOWNSTREAM or BOTH")
        most = min(request.max_tasks or _DEFAULT_LINEAGE, _MAX_LINEAGE)
        lineage = await self._lineage(task, _DIRECTIONS[request.direction], request.max_depth, most)
        order = list(lineage)
        for begin in range(0, len(order), limits.MAX_PART_ITEMS):
            keys = order[begin : begin + limits.MAX_PART_ITEMS]
            rows, states = await self._store.history.tasks_by_key(keys)
            for part in parts(
                lineage_node(rows[key], states.get(key), *lineage[key]) for key in keys
            ):
                yield GetLineageResponse(nodes=part)
        numbers = {key: number for number, key in enumerate(order)}
        edges = await self._store.history.edges_among(order)
        for begin in range(0, len(edges), _EDGES_IN_PART):
            part = edges[begin : begin + _EDGES_IN_PART]
            yield GetLineageResponse(
                edge_upstreams=[numbers[upstream] for upstream, _ in part],
                edge_downstreams=[numbers[downstream] for _, downstream in part],
            )

    async def _lineage(
        self, task: UUID, ways: Sequence[int], max_depth: int, max_tasks: int
    ) -> dict[int, tuple[int, int, bool]]:
        """Return depth, direction and whether it was cut of the tasks, by key; nearest first."""
        found: dict[int, tuple[int, int, bool]] = {}
        for way in ways:
            upstream = way == LINEAGE_DIRECTION_UPSTREAM
            # The second way may reach as many as the first has left.
            most = max_tasks - len(found) + min(1, len(found))
            depths, cut = await self._store.history.lineage(
                caller().workspace, task, upstream, max_depth, most
            )
            for key, depth in depths.items():
                direction = way if depth else LINEAGE_DIRECTION_UNSPECIFIED
                first_depth, first_way, was_cut = found.get(key, (depth, direction, False))
                found[key] = (first_depth, first_way, was_cut or key in cut)
        return dict(sorted(found.items(), key=lambda item: item[1][0]))

    async def explain_task(self, request: ExplainTaskRequest) -> ExplainTaskResponse:
        """Tell why a task ran."""
        task = parse_id("task_id", request.task_id)
        build = parse_id("build_id", request.build_id) if request.build_id else None
        return await explain(self._store, caller().workspace, task, build)

    async def get_task_history(self, request: GetTaskHistoryRequest) -> GetTaskHistoryResponse:
        """List what became of a task in each build that had it."""
        asked = Paging(request, _DEFAULT_TASKS)
        task = parse_id("task_id", request.task_id)
        rows = await self._store.history.task_history(
            caller().workspace, task, asked.after, asked.limit
        )

        def message(row: AnyRow) -> TaskState:
            return task_state_message(row, str(row.build_uuid))

        states, token = asked.page(rows, message, attrgetter("build_id"))
        return GetTaskHistoryResponse(task_states=states, next_page_token=token)


def _parse_ids(texts: Sequence[str]) -> list[UUID]:
    """Return 1 to 1,000 ids, each once. Raises RequestInvalid, MessageTooLarge."""
    if not texts:
        raise RequestInvalid.of("task_ids", "must not be empty")
    if len(texts) > limits.MAX_PART_ITEMS:
        raise MessageTooLarge("task_ids", limits.MAX_PART_ITEMS, len(texts))
    ids = (parse_id(f"task_ids[{index}]", text) for index, text in enumerate(texts))
    return list(dict.fromkeys(ids))
