"""Lists over a real socket: filtered, ordered, in pages that rows come between."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import grpc
import pytest
from producer import Producer, task_id
from running_server import Client, Refused

from stardag.v1.build_service_pb2 import ListBuildsRequest, ListTaskStatesRequest
from stardag.v1.registry_service_pb2 import ListTasksRequest, RegisterTasksRequest
from stardag.v1.task_pb2 import TASK_STATUS_COMPLETED, TaskDefinition
from stardag_server.domain.event_check import task_id_of


def definition(**params: Any) -> TaskDefinition:
    identity = json.dumps(params)
    return TaskDefinition(
        task_id=str(UUID(bytes=task_id_of(identity))),
        name="T",
        namespace="n",
        identity_json=identity,
    )


async def register(client: Client, *params: dict[str, Any]) -> None:
    request = RegisterTasksRequest(tasks=[definition(**each) for each in params])
    await client.registry.RegisterTasks(request, metadata=client.metadata)


async def tasks(client: Client, filter: str, **more: Any) -> list[str]:
    """Return the parameters of all tasks that match, over all pages."""
    found: list[str] = []
    request = ListTasksRequest(filter=filter, **more)
    while True:
        response = await client.registry.ListTasks(request, metadata=client.metadata)
        found += [task.params_json for task in response.tasks]
        if not response.next_page_token:
            return found
        request.page_token = response.next_page_token


async def builds(client: Client, filter: str, **more: Any) -> list[str]:
    request = ListBuildsRequest(filter=filter, **more)
    response = await client.builds.ListBuilds(request, metadata=client.metadata)
    return [build.name for build in response.builds]


async def run(client: Client, tasks: Sequence[str] = (), **start: Any) -> Producer:
    make = Producer()
    events = [make.started(**start), *(event for task in tasks for event in make.run(task))]
    ack = await client.publish(make.open, [*events, make.completed()])
    assert not ack.rejected_count
    return make


async def test_tasks_are_found_by_parameters_of_any_type(client: Client):
    await register(client, {"x": 1}, {"x": "1"}, {"x": [1, "a"]}, {"x": {"y": None}}, {"z": True})
    assert await tasks(client, "params.x >= 1") == ['{"x": 1}']
    assert await tasks(client, 'params.x = "1"') == ['{"x": "1"}']
    assert await tasks(client, "params.x : a") == ['{"x": [1, "a"]}']
    assert await tasks(client, "params.x.y = null") == ['{"x": {"y": null}}']
    assert await tasks(client, "params : z AND params.z = true") == ['{"z": true}']


async def test_rows_whose_ids_begin_alike_are_a_range(client: Client):
    made = [Producer(build=UUID(int=number << 124)) for number in (1, 1, 2)]
    made[1].build = UUID(int=made[0].build.int + 1)
    for number, make in enumerate(made):
        events = [make.started(name=str(number)), *make.run("a"), make.completed()]
        assert not (await client.publish(make.open, events)).rejected_count
    least, most = UUID(int=1 << 124), UUID(int=(2 << 124) - 1)
    assert await builds(client, f'build_id >= "{least}" AND build_id <= "{most}"') == ["1", "0"]
    assert await builds(client, f'build_id > "{least}"') == ["2", "1"]
    only = f'task_id >= "{task_id("a")}" AND task_id <= "{task_id("a")}"'
    request = ListTaskStatesRequest(build_id=made[0].build_id, filter=only)
    states = await client.builds.ListTaskStates(request, metadata=client.metadata)
    assert len(states.task_states) == 1
    assert len(await tasks(client, only)) == 1
    assert await tasks(client, f'task_id < "{UUID(int=0)}"') == []


async def test_one_odd_parameter_breaks_no_search(client: Client):
    odd = (
        '{"x":"a\\u0000b"}',
        '{"x":"\\ud800"}',
        '{"x":1e999}',
        '{"x":NaN}',
        '{"x":' + "9" * 5_000 + "}",
        '{"x":' * 64 + "1" + "}" * 64,
        '{"x":"' + "[" * 5_000 + '"}',
        "not JSON",
        "[1]",
    )
    made = [
        TaskDefinition(task_id=str(UUID(bytes=task_id_of(text))), name="T", identity_json=text)
        for text in odd
    ]
    await client.registry.RegisterTasks(RegisterTasksRequest(tasks=made), metadata=client.metadata)
    await register(client, {"x": 1})
    assert await tasks(client, "params.x = 1") == ['{"x": 1}']
    assert await tasks(client, 'params.x = "a\\u0000b"') == [odd[0]]
    assert len(await tasks(client, "NOT params.x = 1")) == len(odd)
    assert await tasks(client, 'params.x ~ "^a"') == [odd[0]]


async def test_pages_neither_repeat_nor_miss_what_comes_between(client: Client):
    await register(client, *({"x": number} for number in range(7)))
    request = ListTasksRequest(filter="params.x >= 0", page_size=3)
    seen: list[str] = []
    while not seen or request.page_token:
        response = await client.registry.ListTasks(request, metadata=client.metadata)
        seen += [task.params_json for task in response.tasks]
        await register(client, {"x": 100 + len(seen)})
        request.page_token = response.next_page_token
    assert sorted(seen) == [json.dumps({"x": number}) for number in range(7)]


@pytest.mark.parametrize("size", [1, 2, 100])
async def test_builds_are_ordered_by_a_field_and_those_without_it_come_last(
    client: Client, size: int
):
    await run(client, name="b")
    make = Producer()
    await client.publish(make.open, [make.started(name="running")])
    await run(client, name="a")
    await run(client, ["t"], name="a")

    async def ordered(by: str) -> list[str]:
        found: list[str] = []
        request = ListBuildsRequest(order_by=by, page_size=size)
        while True:
            response = await client.builds.ListBuilds(request, metadata=client.metadata)
            found += [build.name for build in response.builds]
            if not response.next_page_token:
                return found
            request.page_token = response.next_page_token

    assert await ordered("name") == ["a", "a", "b", "running"]
    assert await ordered("name desc") == ["running", "b", "a", "a"]
    assert (await ordered("duration"))[-1] == "running"
    assert (await ordered("duration desc"))[-1] == "running"
    assert await ordered("end_time desc") == ["a", "a", "b", "running"]


async def test_builds_are_found_by_label_source_root_and_task(client: Client):
    root = str(task_id("t"))
    await run(client, name="plain")
    await run(
        client,
        ["t"],
        name="full",
        labels={"team": "search", "a b": "x"},
        root_task_ids=[root],
        source={"commit": "c0ffee", "ref": "main", "dirty": True},
    )
    for filter in (
        "labels.team = search",
        'labels."a b" : x',
        "labels : team",
        'source.commit ~ "^c0f"',
        "source.dirty = true",
        f'root_task_id = "{root}"',
        f'task_id = "{root}"',
        "status = COMPLETED AND NOT name = plain",
    ):
        assert await builds(client, filter) == ["full"], filter
    assert await builds(client, "source.dirty != true") == ["plain"]
    assert await builds(client, 'labels.team != "search"') == ["plain"]


async def test_states_and_latest_states_are_filtered(client: Client):
    make = await run(client, ["a", "b"])
    request = ListTaskStatesRequest(
        build_id=make.build_id, filter="name = b AND status = COMPLETED", order_by="duration desc"
    )
    response = await client.builds.ListTaskStates(request, metadata=client.metadata)
    assert [state.name for state in response.task_states] == ["b"]
    await register(client, {"x": 1})
    listed = ListTasksRequest(filter="status = COMPLETED AND attempt >= 0.5", order_by="name desc")
    found = (await client.registry.ListTasks(listed, metadata=client.metadata)).tasks
    assert [task.name for task in found] == ["b", "a"]
    assert found[0].latest_state.build_id == make.build_id
    assert found[0].latest_state.status == TASK_STATUS_COMPLETED
    assert len(await tasks(client, f'build_id = "{make.build_id}"')) == 2
    assert await tasks(client, "NOT status = COMPLETED") == ['{"x": 1}']


async def test_tasks_are_ordered_by_what_is_at_a_path_in_their_parameters(client: Client):
    await register(client, {"m": {"a b": 2}}, {"m": {"a b": "x"}}, {"m": {"a b": 10}}, {"m": 1})
    request = ListTasksRequest(order_by='params.m."a b" desc', page_size=1)
    seen: list[str] = []
    while not seen or request.page_token:
        response = await client.registry.ListTasks(request, metadata=client.metadata)
        seen += [task.params_json for task in response.tasks]
        request.page_token = response.next_page_token
    assert [json.loads(each)["m"] for each in seen] == [{"a b": 10}, {"a b": 2}, {"a b": "x"}, 1]


async def test_a_bad_filter_and_a_bad_order_say_where_and_what(client: Client):
    for request, reason, told in (
        (ListTasksRequest(filter="a ="), "FILTER_INVALID", {"position": "3"}),
        (ListTasksRequest(filter="failure.kind = X"), "FILTER_INVALID", {"position": "0"}),
        (ListTasksRequest(order_by="params"), "ORDER_INVALID", {"field": "params"}),
        (ListTasksRequest(order_by="params.x asc"), "ORDER_INVALID", {"field": "params.x asc"}),
        (ListTasksRequest(order_by="params.<name>"), "ORDER_INVALID", {"field": "params.<name>"}),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.registry.ListTasks(request, metadata=client.metadata)
        refused = Refused.of(caught.value)
        assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
        assert refused.metadata.items() >= told.items()
