"""Tasks over all builds: several at once, their history and lineage, and why one ran."""

import json
from typing import Any
from uuid import UUID

import grpc
import pytest
from producer import Producer, task_id
from running_server import Client, Refused

from stardag.v1 import event_pb2 as pb
from stardag.v1 import registry_service_pb2 as rs
from stardag.v1 import task_pb2
from stardag.v1.task_pb2 import TaskDefinition
from stardag_server.domain.event_check import task_id_of


async def call(client: Client, method: str, request: Any) -> Any:
    return await getattr(client.registry, method)(request, metadata=client.metadata)


async def refusal(client: Client, method: str, request: Any) -> Refused:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(client, method, request)
    return Refused.of(caught.value)


async def graph(client: Client, **dependencies: list[str]) -> Producer:
    """Publish a build in which each task has these dependencies; no task runs."""
    make = Producer()
    events = [make.pending(task, upstreams) for task, upstreams in dependencies.items()]
    await client.publish(make.open, [make.started(), *events])
    return make


async def lineage(
    client: Client, task: str, direction: int, **bounds: int
) -> tuple[dict[str, rs.LineageNode], set[tuple[str, str]]]:
    """Return the nodes by name, and the edges by names."""
    request = rs.GetLineageRequest(task_id=str(task_id(task)))
    request.direction = rs.LineageDirection.ValueType(direction)
    request.max_depth = bounds.get("max_depth", 0)
    request.max_tasks = bounds.get("max_tasks", 0)
    nodes: list[rs.LineageNode] = []
    edges: set[tuple[int, int]] = set()
    async for part in client.registry.GetLineage(request, metadata=client.metadata):
        nodes += part.nodes
        edges |= set(zip(part.edge_upstreams, part.edge_downstreams, strict=True))
    names = [node.task.name for node in nodes]
    assert names[0] == task and len(set(names)) == len(names)
    return dict(zip(names, nodes, strict=True)), {(names[a], names[b]) for a, b in edges}


async def test_several_tasks_are_returned_in_the_order_asked_for(client: Client):
    await graph(client, a=[], b=["a"])
    ids = [str(task_id(name)) for name in ("b", "nobody", "a", "b")]
    found = await call(client, "BatchGetTasks", rs.BatchGetTasksRequest(task_ids=ids))
    assert [task.name for task in found.tasks] == ["b", "a"]
    assert list(found.missing_task_ids) == [ids[1]] and not found.unread_task_ids
    alone = await call(client, "GetTask", rs.GetTaskRequest(task_id=ids[0]))
    assert found.tasks[0] == alone.task and alone.task.latest_state.build_id


async def test_what_does_not_fit_a_response_is_named(client: Client):
    long = [json.dumps({"n": number, "x": "x" * 200_000}) for number in range(6)]
    ids = [str(UUID(bytes=task_id_of(text))) for text in long]
    for id, text in zip(ids, long, strict=True):
        definition = TaskDefinition(task_id=id, name="T", identity_json=text)
        await call(client, "RegisterTasks", rs.RegisterTasksRequest(tasks=[definition]))
    found = await call(client, "BatchGetTasks", rs.BatchGetTasksRequest(task_ids=ids))
    assert [*(task.task_id for task in found.tasks), *found.unread_task_ids] == ids
    assert found.tasks and found.unread_task_ids


async def test_the_producer_of_a_task_is_the_latest_attempt_that_completed_it(client: Client):
    first, second, third = Producer(), Producer(), Producer()
    await client.publish(first.open, [first.started(), *first.run("t"), first.pending("waiting")])
    await client.publish(second.open, [second.started(), *second.run("t", attempt=3)])
    reused = third.event(pb.EVENT_TYPE_TASK_REUSED, "t")
    await client.publish(third.open, [third.started(), reused])
    ids = [str(task_id(name)) for name in ("waiting", "t", "nobody")]
    found = await call(client, "FindProducers", rs.FindProducersRequest(task_ids=ids))
    assert [(made.task_id, made.build_id, made.attempt) for made in found.producers] == [
        (ids[1], second.build_id, 3)
    ]


@pytest.mark.parametrize("method", ["BatchGetTasks", "FindProducers"])
async def test_none_or_too_many_ids_are_refused(client: Client, method: str):
    request = getattr(rs, f"{method}Request")
    none = await refusal(client, method, request())
    assert (none.reason, none.fields) == ("REQUEST_INVALID", ["task_ids"])
    many = request(task_ids=[str(task_id("a"))] * 1_001)
    assert (await refusal(client, method, many)).reason == "MESSAGE_TOO_LARGE"
    bad = request(task_ids=[str(task_id("a")), "x"])
    assert (await refusal(client, method, bad)).fields == ["task_ids[1]"]


async def test_the_history_of_a_task_has_each_build_newest_first(client: Client):
    made = [Producer() for _ in range(3)]
    for make in made:
        await client.publish(make.open, [make.started(), *make.run("t")])
    request = rs.GetTaskHistoryRequest(task_id=str(task_id("t")), page_size=2)
    first = await call(client, "GetTaskHistory", request)
    request.page_token = first.next_page_token
    second = await call(client, "GetTaskHistory", request)
    found = [state.build_id for state in [*first.task_states, *second.task_states]]
    assert found == [make.build_id for make in reversed(made)] and not second.next_page_token
    unknown = rs.GetTaskHistoryRequest(task_id=str(task_id("nobody")))
    assert (await refusal(client, "GetTaskHistory", unknown)).reason == "TASK_NOT_FOUND"


async def test_lineage_is_followed_up_down_and_both_ways(client: Client):
    await graph(client, a=[], b=["a"], c=["a"], d=["b", "c"], e=["d"], other=[])
    nodes, edges = await lineage(client, "d", rs.LINEAGE_DIRECTION_UPSTREAM)
    assert {name: node.depth for name, node in nodes.items()} == {"d": 0, "b": 1, "c": 1, "a": 2}
    assert edges == {("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")}
    nodes, edges = await lineage(client, "a", rs.LINEAGE_DIRECTION_DOWNSTREAM)
    assert {name: node.depth for name, node in nodes.items()} == {
        "a": 0,
        "b": 1,
        "c": 1,
        "d": 2,
        "e": 3,
    }
    nodes, edges = await lineage(client, "b", rs.LINEAGE_DIRECTION_BOTH)
    assert {name: node.direction for name, node in nodes.items()} == {
        "b": rs.LINEAGE_DIRECTION_UNSPECIFIED,
        "a": rs.LINEAGE_DIRECTION_UPSTREAM,
        "d": rs.LINEAGE_DIRECTION_DOWNSTREAM,
        "e": rs.LINEAGE_DIRECTION_DOWNSTREAM,
    }
    assert edges == {("a", "b"), ("b", "d"), ("d", "e")}
    assert not any(node.cut for node in nodes.values())


async def test_a_bound_of_lineage_says_where_it_cut(client: Client):
    await graph(client, a=[], b=["a"], c=["b"], d=["c"])
    nodes, _ = await lineage(client, "d", rs.LINEAGE_DIRECTION_UPSTREAM, max_depth=2)
    assert {name: node.cut for name, node in nodes.items()} == {"d": False, "c": False, "b": True}
    nodes, _ = await lineage(client, "b", rs.LINEAGE_DIRECTION_BOTH, max_tasks=2)
    assert {name: node.cut for name, node in nodes.items()} == {"b": True, "a": False}


async def test_a_circle_of_dependencies_has_a_lineage_too(client: Client):
    await graph(client, a=["b"], b=["a"])
    nodes, edges = await lineage(client, "a", rs.LINEAGE_DIRECTION_BOTH)
    assert set(nodes) == {"a", "b"} and edges == {("a", "b"), ("b", "a")}


async def test_lineage_wants_a_direction_and_a_known_task(client: Client):
    for request, reason in (
        (rs.GetLineageRequest(task_id=str(task_id("t"))), "REQUEST_INVALID"),
        (
            rs.GetLineageRequest(
                task_id=str(task_id("t")), direction=rs.LINEAGE_DIRECTION_UPSTREAM
            ),
            "TASK_NOT_FOUND",
        ),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in client.registry.GetLineage(request, metadata=client.metadata):
                pass
        assert Refused.of(caught.value).reason == reason


class Typed:
    """A task with parameters, as a producer would run it."""

    def __init__(self, name: str, **params: Any) -> None:
        self.name = name
        self.text = json.dumps({"__name": name, "__namespace": "", **params})
        self.id = UUID(bytes=task_id_of(self.text))

    @property
    def ref(self) -> dict[str, str]:
        return {"id": str(self.id)}

    def run(self, make: Producer, end: int = pb.EVENT_TYPE_TASK_COMPLETED) -> list[pb.NewEvent]:
        definition = TaskDefinition(name=self.name, identity_json=self.text)
        events = [
            make.event(pb.EVENT_TYPE_TASK_PENDING, definition=definition),
            make.event(pb.EVENT_TYPE_TASK_STARTED, attempt=1),
            make.event(end, attempt=1),
        ]
        for event in events:
            event.task_id = self.id.bytes
        return events


async def run(client: Client, *tasks: Typed, end: int = pb.EVENT_TYPE_TASK_COMPLETED) -> Producer:
    make = Producer()
    events = [event for task in tasks for event in task.run(make, end)]
    ack = await client.publish(make.open, [make.started(), *events])
    assert not ack.rejected_count
    return make


async def explain(client: Client, task: Typed, build: str = "") -> rs.ExplainTaskResponse:
    request = rs.ExplainTaskRequest(task_id=str(task.id), build_id=build)
    return await call(client, "ExplainTask", request)


async def test_a_task_with_a_new_id_ran_because_of_what_differs_deep_down(client: Client):
    old_data, new_data = Typed("Data", limit=10), Typed("Data", limit=20)
    far = Typed("Train", data=old_data.ref, lr=0.5, extra=[1, 2], tag="z")
    near = Typed("Train", data=old_data.ref, lr=0.1)
    this = Typed("Train", data=new_data.ref, lr=0.1)
    await run(client, old_data, far)
    earlier = await run(client, near)
    build = await run(client, new_data, this)
    found = await explain(client, this)
    assert found.cause == rs.RUN_CAUSE_NEW_ID and found.state.build_id == build.build_id
    assert found.nearest_task.task_id == str(near.id)
    assert found.earlier_state.build_id == earlier.build_id
    [difference] = found.differences
    assert (difference.path, difference.earlier_json, difference.json) == ("data.limit", "10", "20")
    assert not found.truncated


async def test_an_ingredient_that_one_lacks_is_empty_in_it(client: Client):
    await run(client, Typed("T", a=[1, {"b": 2}], gone=True))
    this = Typed("T", a=[1, {"b": 3}, 4], new=None)
    await run(client, this)
    found = [(d.path, d.earlier_json, d.json) for d in (await explain(client, this)).differences]
    assert found == [
        ("a[1].b", "2", "3"),
        ("a[2]", "", "4"),
        ("gone", "true", ""),
        ("new", "", "null"),
    ]


async def test_the_first_of_a_type_has_nothing_before_it(client: Client):
    task = Typed("T", x=1)
    await run(client, Typed("Other", x=1), task)
    assert (await explain(client, task)).cause == rs.RUN_CAUSE_FIRST_OF_TYPE


async def test_the_same_id_ran_again_because_its_output_was_missing_or_never_made(client: Client):
    task = Typed("T", x=1)
    first = await run(client, task, end=pb.EVENT_TYPE_TASK_FAILED)
    second = await run(client, task)
    third = await run(client, task)
    found = await explain(client, task, second.build_id)
    assert found.cause == rs.RUN_CAUSE_NEVER_COMPLETED
    assert found.earlier_state.build_id == first.build_id
    found = await explain(client, task)
    assert found.cause == rs.RUN_CAUSE_OUTPUT_MISSING
    assert (found.state.build_id, found.earlier_state.build_id) == (third.build_id, second.build_id)
    assert found.earlier_state.status == task_pb2.TASK_STATUS_COMPLETED


async def test_what_only_waited_did_not_run_and_another_build_does_not_have_it(client: Client):
    make = await graph(client, t=[])
    other = await graph(client, u=[])
    request = rs.ExplainTaskRequest(task_id=str(task_id("t")))
    assert (await call(client, "ExplainTask", request)).cause == rs.RUN_CAUSE_NOT_RUN
    request.build_id = make.build_id
    assert (await call(client, "ExplainTask", request)).cause == rs.RUN_CAUSE_NOT_RUN
    request.build_id = other.build_id
    assert (await refusal(client, "ExplainTask", request)).reason == "BUILD_NOT_FOUND"
    request.task_id = str(task_id("nobody"))
    assert (await refusal(client, "ExplainTask", request)).reason == "TASK_NOT_FOUND"
