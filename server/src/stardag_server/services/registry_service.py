"""stardag.v1.RegistryService."""

from collections.abc import AsyncIterator

from stardag.v1.registry_service_pb2 import (
    BatchGetTasksRequest,
    BatchGetTasksResponse,
    ExplainTaskRequest,
    ExplainTaskResponse,
    GetLineageRequest,
    GetLineageResponse,
    GetTaskHistoryRequest,
    GetTaskHistoryResponse,
    GetTaskRequest,
    GetTaskResponse,
    ListTasksRequest,
    ListTasksResponse,
    RegisterTasksRequest,
    RegisterTasksResponse,
    SuggestFilterValuesRequest,
    SuggestFilterValuesResponse,
)
from stardag_server.auth.principal import caller
from stardag_server.domain.ids import parse_id
from stardag_server.domain.refusals import NotImplementedHere
from stardag_server.domain.registration import definitions_by_task
from stardag_server.services.messages import task_message
from stardag_server.store.store import Store


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
        raise NotImplementedHere("BatchGetTasks")

    async def list_tasks(self, request: ListTasksRequest) -> ListTasksResponse:
        """List tasks that match a filter."""
        raise NotImplementedHere("ListTasks")

    async def suggest_filter_values(
        self, request: SuggestFilterValuesRequest
    ) -> SuggestFilterValuesResponse:
        """Suggest fields, or values of a field, to complete a filter with."""
        raise NotImplementedHere("SuggestFilterValues")

    def get_lineage(self, request: GetLineageRequest) -> AsyncIterator[GetLineageResponse]:
        """Yield what a task depends on, or what depends on it: all nodes, then all edges."""
        raise NotImplementedHere("GetLineage")

    async def explain_task(self, request: ExplainTaskRequest) -> ExplainTaskResponse:
        """Tell why a task ran."""
        raise NotImplementedHere("ExplainTask")

    async def get_task_history(self, request: GetTaskHistoryRequest) -> GetTaskHistoryResponse:
        """List what became of a task in each build that had it."""
        raise NotImplementedHere("GetTaskHistory")
