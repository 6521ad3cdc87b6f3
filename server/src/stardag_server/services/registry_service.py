"""stardag.v1.RegistryService."""

from stardag.v1.registry_service_pb2 import GetTaskRequest, GetTaskResponse
from stardag_server.auth.principal import caller
from stardag_server.domain.ids import parse_id
from stardag_server.services.messages import task_message
from stardag_server.store.queries import Queries


class RegistryService:
    """Reads what is known of tasks. The contract is in the proto file."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    async def get_task(self, request: GetTaskRequest) -> GetTaskResponse:
        """Return one task."""
        task = parse_id("task_id", request.task_id)
        row, dependencies, state = await self._queries.task(caller().workspace, task)
        return GetTaskResponse(task=task_message(row, dependencies, state))
