"""stardag.v1.BuildService."""

from array import array
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from operator import attrgetter, itemgetter

from stardag.v1.build_service_pb2 import (
    BLOCK_CAUSE_LEASE_HELD,
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
    TaskChange,
    TaskChangeKind,
)
from stardag_server.auth.principal import caller
from stardag_server.cancels import Cancels
from stardag_server.domain import limits
from stardag_server.domain.build_comparison import Change, changes
from stardag_server.domain.filter_fields import BUILD_FIELDS, STATE_FIELDS
from stardag_server.domain.filters import parse
from stardag_server.domain.ids import parse_id
from stardag_server.domain.ordering import parse_order
from stardag_server.domain.pages import Paging, parts
from stardag_server.domain.texts import checked_text
from stardag_server.services.build_report import BuildReport, lease_name
from stardag_server.services.messages import build_message, task_state_message
from stardag_server.store.listing import BUILD_ORDERS, STATE_ORDERS
from stardag_server.store.queries import AnyRow
from stardag_server.store.store import Store

_DEFAULT_BUILDS = 50
_DEFAULT_STATES = 100
_DEFAULT_GROUPS = 20
_MAX_GROUPS = 100
_EDGES_IN_PART = 50_000


class BuildService:
    """Reads builds, and asks them to stop. The contract is in the proto file."""

    def __init__(self, store: Store, cancels: Cancels) -> None:
        self._store = store
        self._cancels = cancels

    async def get_build(self, request: GetBuildRequest) -> GetBuildResponse:
        """Return one build."""
        row = await self._build("build_id", request.build_id)
        return GetBuildResponse(build=build_message(row, row.root_task_ids))

    async def list_builds(self, request: ListBuildsRequest) -> ListBuildsResponse:
        """List builds that match a filter."""
        asked = Paging(request, _DEFAULT_BUILDS)
        rows = await self._store.listing.builds(
            caller().workspace,
            asked.after,
            asked.limit,
            statuses=request.statuses,
            condition=parse(request.filter, BUILD_FIELDS),
            order=parse_order(request.order_by, BUILD_ORDERS),
        )
        builds, token = asked.page(rows, build_message, attrgetter("id"))
        return ListBuildsResponse(builds=builds, next_page_token=token)

    async def cancel_build(self, request: CancelBuildRequest) -> CancelBuildResponse:
        """Ask a build to stop."""
        id = parse_id("build_id", request.build_id)
        reason = checked_text("reason", request.reason, limits.MAX_TEXT)
        await self._cancels.request(caller().workspace, id, reason)
        row = await self._build("build_id", request.build_id)
        return CancelBuildResponse(build=build_message(row, row.root_task_ids))

    async def list_task_states(self, request: ListTaskStatesRequest) -> ListTaskStatesResponse:
        """List the states of a build's tasks that match a filter."""
        asked = Paging(request, _DEFAULT_STATES)
        condition = parse(request.filter, STATE_FIELDS)
        order = parse_order(request.order_by, STATE_ORDERS)
        build = await self._build("build_id", request.build_id)
        rows = await self._store.listing.task_states(
            build.id,
            asked.after,
            asked.limit,
            statuses=request.statuses,
            condition=condition,
            order=order,
        )
        response = ListTaskStatesResponse()
        message = partial(
            task_state_message, build_id=str(build.uuid), make=response.task_states.add
        )
        _, response.next_page_token = asked.page(rows, message, attrgetter("ordinal"))
        return response

    async def get_build_graph(
        self, request: GetBuildGraphRequest
    ) -> AsyncIterator[GetBuildGraphResponse]:
        """Yield a build's graph as of now: all nodes, then all edges."""
        build = await self._build("build_id", request.build_id)
        id, nodes = str(build.uuid), sum(build.task_counts)
        upstreams, downstreams = _places(await self._store.queries.edges(build.id, nodes))
        edges = len(upstreams)
        part = partial(GetBuildGraphResponse, total_nodes=nodes, total_edges=edges)
        sent = 0
        while sent < nodes:
            rows = await self._store.queries.task_states(
                build.id, sent, min(limits.MAX_PART_ITEMS, nodes - sent)
            )
            sent += len(rows)
            left = iter(rows)
            while True:
                response = part()
                message = partial(task_state_message, build_id=id, make=response.nodes.add)
                if not next(parts(map(message, left)), None):
                    break
                yield response
        if not edges and not nodes:
            yield part()
        for begin in range(0, edges, _EDGES_IN_PART):
            yield part(
                edge_upstreams=upstreams[begin : begin + _EDGES_IN_PART],
                edge_downstreams=downstreams[begin : begin + _EDGES_IN_PART],
            )

    async def get_build_statistics(
        self, request: GetBuildStatisticsRequest
    ) -> GetBuildStatisticsResponse:
        """Return how long a build took and where the time went."""
        build = await self._build("build_id", request.build_id)
        wall_time = build.duration
        if not build.end_time and build.start_stream_id:
            last = await self._store.history.last_monotonic(build.id, build.start_stream_id)
            wall_time = max(0, last - build.start_monotonic)
        report = await self._report(build)
        return GetBuildStatisticsResponse(statistics=report.statistics(wall_time))

    async def list_build_failures(
        self, request: ListBuildFailuresRequest
    ) -> ListBuildFailuresResponse:
        """List what failed in a build, like failures as one group."""
        asked = Paging(request, _DEFAULT_GROUPS, _MAX_GROUPS)
        report = await self._report(await self._build("build_id", request.build_id))
        numbered = [*enumerate(report.failure_groups(), 1)][asked.after or 0 :]
        groups, token = asked.page(numbered, itemgetter(1), itemgetter(0))
        return ListBuildFailuresResponse(groups=groups, next_page_token=token)

    async def list_blocked_tasks(
        self, request: ListBlockedTasksRequest
    ) -> ListBlockedTasksResponse:
        """List the tasks that something else keeps from running, each with its root cause."""
        asked = Paging(request, _DEFAULT_STATES)
        after = asked.after or 0
        cause = request.root_cause_task_id
        cause_id = str(parse_id("root_cause_task_id", cause)) if cause else ""
        build = await self._build("build_id", request.build_id)
        report = await self._report(build)
        root = report.ordinal(cause_id)
        if cause and root is None:
            return ListBlockedTasksResponse()
        blocked = [(ordinal, task) for ordinal, task in report.blocked(root) if ordinal > after]
        tasks, token = asked.page(blocked, itemgetter(1), itemgetter(0))
        shown = blocked[: len(tasks)]
        held = {o: task for o, task in shown if task.cause == BLOCK_CAUSE_LEASE_HELD}
        for ordinal, detail in (await self._store.history.waits(build.id, [*held])).items():
            held[ordinal].lease_name = lease_name(detail)
        return ListBlockedTasksResponse(tasks=tasks, next_page_token=token)

    async def compare_builds(self, request: CompareBuildsRequest) -> CompareBuildsResponse:
        """List in what two builds differ."""
        asked = Paging(request, _DEFAULT_STATES)
        base = await self._build("base_build_id", request.base_build_id)
        build = await self._build("build_id", request.build_id)
        found = changes(*[await self._statuses(each.id) for each in (base, build)])
        response = CompareBuildsResponse()
        if asked.after is None:
            response.base_build.CopyFrom(build_message(base))
            response.build.CopyFrom(build_message(build))
            for kind, count in sorted(Counter(change.kind for change in found).items()):
                response.counts.add(kind=TaskChangeKind.ValueType(kind), count=count)
        kinds = {*request.kinds}
        after = asked.after or 0
        wanted = [c for c in found if (not kinds or c.kind in kinds) and c.key > after]
        message = await self._change_messages(base, build, wanted[: asked.limit])
        changed, token = asked.page(wanted, message, attrgetter("key"))
        response.changes.extend(changed)
        response.next_page_token = token
        return response

    async def _change_messages(
        self, base: AnyRow, build: AnyRow, wanted: Sequence[Change]
    ) -> Callable[[Change], TaskChange]:
        """Return what makes the message of each of these changes."""
        history = self._store.history
        before = await history.states(base.id, [c.base for c in wanted if c.base is not None])
        now = await history.states(build.id, [c.ordinal for c in wanted if c.ordinal is not None])

        def message(change: Change) -> TaskChange:
            made = TaskChange(kind=TaskChangeKind.ValueType(change.kind))
            if change.base is not None:
                made.base_state.CopyFrom(task_state_message(before[change.base], str(base.uuid)))
            if change.ordinal is not None:
                made.state.CopyFrom(task_state_message(now[change.ordinal], str(build.uuid)))
            return made

        return message

    async def _build(self, field: str, id: str) -> AnyRow:
        return await self._store.queries.build(caller().workspace, parse_id(field, id))

    async def _report(self, build: AnyRow) -> BuildReport:
        return await BuildReport.read(self._store.queries, self._store.history, build.id)

    async def _statuses(self, build: int) -> list[tuple[int, int, int]]:
        rows = await self._store.history.nodes(build)
        return [(row.task_id, row.ordinal, row.status) for row in rows]


def _places(edges: Sequence[tuple[int, int]]) -> "tuple[array[int], array[int]]":
    """Return the upstreams and the downstreams of edges, from ordinals to places in the nodes."""
    # Ordinals count from 1 in the order in which nodes are sent.
    return (
        array("L", [upstream - 1 for upstream, _ in edges]),
        array("L", [downstream - 1 for _, downstream in edges]),
    )
