"""stardag.v1.BuildService."""

from array import array
from collections.abc import AsyncIterator

from stardag.v1.build_pb2 import Build
from stardag.v1.build_service_pb2 import (
    GetBuildGraphRequest,
    GetBuildGraphResponse,
    GetBuildRequest,
    GetBuildResponse,
    ListBuildsRequest,
    ListBuildsResponse,
    ListTaskStatesRequest,
    ListTaskStatesResponse,
)
from stardag.v1.task_pb2 import TaskState
from stardag_server.auth.principal import caller
from stardag_server.domain import limits
from stardag_server.domain.ids import parse_id
from stardag_server.domain.pages import PageTokens, page_size, parts
from stardag_server.services.messages import build_message, task_state_message
from stardag_server.store.queries import Queries

_DEFAULT_BUILDS = 50
_DEFAULT_STATES = 100
_EDGES_IN_PART = 50_000


class BuildService:
    """Reads builds. The contract is in the proto file."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    async def get_build(self, request: GetBuildRequest) -> GetBuildResponse:
        """Return one build."""
        build = parse_id("build_id", request.build_id)
        row = await self._queries.build(caller().workspace, build)
        return GetBuildResponse(build=build_message(row, row.root_task_ids))

    async def list_builds(self, request: ListBuildsRequest) -> ListBuildsResponse:
        """List builds, newest first."""
        size = page_size(request.page_size, _DEFAULT_BUILDS)
        tokens = PageTokens(request)
        rows = await self._queries.builds(
            caller().workspace, request.statuses, tokens.parse(request.page_token), size + 1
        )
        builds = next(parts(build_message(row) for row in rows[:size]), list[Build]())
        more = len(builds) < len(rows)
        return ListBuildsResponse(
            builds=builds, next_page_token=tokens.make(rows[len(builds) - 1].id) if more else ""
        )

    async def list_task_states(self, request: ListTaskStatesRequest) -> ListTaskStatesResponse:
        """List the states of a build's tasks, in the order in which they entered it."""
        size = page_size(request.page_size, _DEFAULT_STATES)
        tokens = PageTokens(request)
        after = tokens.parse(request.page_token) or 0
        build = await self._queries.build(
            caller().workspace, parse_id("build_id", request.build_id)
        )
        rows = await self._queries.task_states(build.id, after, size + 1, request.statuses)
        id = str(build.uuid)
        states = next(parts(task_state_message(row, id) for row in rows[:size]), list[TaskState]())
        more = len(states) < len(rows)
        return ListTaskStatesResponse(
            task_states=states,
            next_page_token=tokens.make(rows[len(states) - 1].ordinal) if more else "",
        )

    async def get_build_graph(
        self, request: GetBuildGraphRequest
    ) -> AsyncIterator[GetBuildGraphResponse]:
        """Yield a build's graph as of now: all nodes, then all edges."""
        build = await self._queries.build(
            caller().workspace, parse_id("build_id", request.build_id)
        )
        nodes = sum(build.task_counts)
        upstreams, downstreams = array("L"), array("L")
        for upstream, downstream in await self._queries.edges(build.id, nodes):
            # Ordinals count from 1 in the order in which nodes are sent.
            upstreams.append(upstream - 1)
            downstreams.append(downstream - 1)
        totals = GetBuildGraphResponse(total_nodes=nodes, total_edges=len(upstreams))
        sent = 0
        while sent < nodes:
            rows = await self._queries.task_states(
                build.id, sent, min(limits.MAX_PART_ITEMS, nodes - sent)
            )
            for part in parts(task_state_message(row, str(build.uuid)) for row in rows):
                yield GetBuildGraphResponse(
                    nodes=part, total_nodes=nodes, total_edges=len(upstreams)
                )
            sent += len(rows)
        if not upstreams and not nodes:
            yield totals
        for begin in range(0, len(upstreams), _EDGES_IN_PART):
            yield GetBuildGraphResponse(
                edge_upstreams=upstreams[begin : begin + _EDGES_IN_PART],
                edge_downstreams=downstreams[begin : begin + _EDGES_IN_PART],
                total_nodes=nodes,
                total_edges=len(upstreams),
            )
