"""stardag.v1.BuildService."""

from array import array
from collections.abc import AsyncIterator

from stardag.v1.build_pb2 import Build
from stardag.v1.build_service_pb2 import (
    CancelBuildRequest,
    CancelBuildResponse,
    CompareBuildsRequest,
    CompareBuildsResponse,
    GetBuildGraphRequest,
    GetBuildGraphResponse,
    GetBuildRequest,
    GetBuildResponse,
    GetBuildStatisticsRequest,
    GetBuildStatisticsResponse,
    ListBlockedTasksRequest,
    ListBlockedTasksResponse,
    ListBuildFailuresRequest,
    ListBuildFailuresResponse,
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
from stardag_server.domain.refusals import NotImplementedHere
from stardag_server.services.messages import build_message, task_state_message
from stardag_server.store.store import Store

_DEFAULT_BUILDS = 50
_DEFAULT_STATES = 100
_EDGES_IN_PART = 50_000


class BuildService:
    """Reads builds. The contract is in the proto file."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get_build(self, request: GetBuildRequest) -> GetBuildResponse:
        """Return one build."""
        build = parse_id("build_id", request.build_id)
        row = await self._store.queries.build(caller().workspace, build)
        return GetBuildResponse(build=build_message(row, row.root_task_ids))

    async def list_builds(self, request: ListBuildsRequest) -> ListBuildsResponse:
        """List builds, newest first."""
        _refuse_filter(request)
        size = page_size(request.page_size, _DEFAULT_BUILDS)
        tokens = PageTokens(request)
        rows = await self._store.queries.builds(
            caller().workspace, request.statuses, tokens.parse(request.page_token), size + 1
        )
        builds = next(parts(build_message(row) for row in rows[:size]), list[Build]())
        more = len(builds) < len(rows)
        return ListBuildsResponse(
            builds=builds, next_page_token=tokens.make(rows[len(builds) - 1].id) if more else ""
        )

    async def cancel_build(self, request: CancelBuildRequest) -> CancelBuildResponse:
        """Ask a build to stop."""
        raise NotImplementedHere("CancelBuild")

    async def list_task_states(self, request: ListTaskStatesRequest) -> ListTaskStatesResponse:
        """List the states of a build's tasks, in the order in which they entered it."""
        _refuse_filter(request)
        size = page_size(request.page_size, _DEFAULT_STATES)
        tokens = PageTokens(request)
        after = tokens.parse(request.page_token) or 0
        build = await self._store.queries.build(
            caller().workspace, parse_id("build_id", request.build_id)
        )
        rows = await self._store.queries.task_states(build.id, after, size + 1, request.statuses)
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
        build = await self._store.queries.build(
            caller().workspace, parse_id("build_id", request.build_id)
        )
        nodes = sum(build.task_counts)
        upstreams, downstreams = array("L"), array("L")
        for upstream, downstream in await self._store.queries.edges(build.id, nodes):
            # Ordinals count from 1 in the order in which nodes are sent.
            upstreams.append(upstream - 1)
            downstreams.append(downstream - 1)
        totals = GetBuildGraphResponse(total_nodes=nodes, total_edges=len(upstreams))
        sent = 0
        while sent < nodes:
            rows = await self._store.queries.task_states(
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

    async def get_build_statistics(
        self, request: GetBuildStatisticsRequest
    ) -> GetBuildStatisticsResponse:
        """Return how long a build took and where the time went."""
        raise NotImplementedHere("GetBuildStatistics")

    async def list_build_failures(
        self, request: ListBuildFailuresRequest
    ) -> ListBuildFailuresResponse:
        """List what failed in a build, like failures as one group."""
        raise NotImplementedHere("ListBuildFailures")

    async def list_blocked_tasks(
        self, request: ListBlockedTasksRequest
    ) -> ListBlockedTasksResponse:
        """List the tasks that something else keeps from running, each with its root cause."""
        raise NotImplementedHere("ListBlockedTasks")

    async def compare_builds(self, request: CompareBuildsRequest) -> CompareBuildsResponse:
        """List in what two builds differ."""
        raise NotImplementedHere("CompareBuilds")


def _refuse_filter(request: ListBuildsRequest | ListTaskStatesRequest) -> None:
    """Refuse what is not built, rather than answer as if it had not been asked for."""
    if request.filter or request.order_by:
        raise NotImplementedHere("filter and order_by")
