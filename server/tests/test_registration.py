"""Tasks that are registered outside any build."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest
from producer import Producer, definition, task_id
from running_server import Client, Refused, RunningServer

from stardag.v1 import event_pb2 as pb
from stardag.v1.registry_service_pb2 import GetTaskRequest, RegisterTasksRequest
from stardag.v1.task_pb2 import Task, TaskDefinition
from stardag_server.domain.event_check import task_id_of


def task(name: str, dependencies: tuple[UUID, ...] = (), **more: Any) -> TaskDefinition:
    return definition(name, dependencies, task_id=str(task_id(name)), **more)


def nested(depth: int) -> TaskDefinition:
    text = '{"a":' * depth + "1" + "}" * depth
    return TaskDefinition(task_id=str(UUID(bytes=task_id_of(text))), identity_json=text)


async def register(client: Client, *tasks: TaskDefinition) -> tuple[int, int]:
    """Register tasks; return how many were new, and how many known."""
    request = RegisterTasksRequest(tasks=tasks)
    response = await client.registry.RegisterTasks(request, metadata=client.metadata)
    return response.created_count, response.existing_count


async def refusal(client: Client, *tasks: TaskDefinition) -> Refused:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await register(client, *tasks)
    return Refused.of(caught.value)


async def get(client: Client, name: str) -> Task | None:
    request = GetTaskRequest(task_id=str(task_id(name)))
    try:
        return (await client.registry.GetTask(request, metadata=client.metadata)).task
    except grpc.aio.AioRpcError as error:
        assert error.code() == grpc.StatusCode.NOT_FOUND
        return None


async def test_tasks_are_registered_in_any_order_with_their_dependencies(client: Client):
    child = task("child", (task_id("parent"), task_id("unknown")), output_uri="s3://child")
    assert await register(client, child, task("parent")) == (2, 0)
    found = await get(client, "child")
    assert found and found.output_uri == "s3://child" and not found.latest_state.build_id
    assert {*found.dependency_ids} == {str(task_id("parent")), str(task_id("unknown"))}
    unknown = await get(client, "unknown")
    assert unknown and unknown.placeholder


async def test_to_register_again_changes_nothing(client: Client):
    assert await register(client, task("t")) == (1, 0)
    assert await register(client, task("t", output_uri="elsewhere"), task("u")) == (1, 1)
    found = await get(client, "t")
    assert found and not found.output_uri


async def test_a_task_that_was_only_named_counts_as_new(client: Client):
    await register(client, task("child", (task_id("parent"),)))
    assert await register(client, task("parent")) == (1, 0)
    found = await get(client, "parent")
    assert found and not found.placeholder


async def test_a_registered_task_is_that_of_a_build(client: Client):
    await register(client, task("t", output_uri="first"))
    make = Producer()
    events = [make.started(), make.pending("t", output_uri="second"), make.completed()]
    assert not (await client.publish(make.open, events)).rejected_count
    found = await get(client, "t")
    assert found and found.output_uri == "first"
    assert found.latest_state.build_id == make.build_id


async def test_one_definition_twice_counts_once(client: Client):
    assert await register(client, task("t"), task("t")) == (1, 0)


async def test_a_hash_that_does_not_match_is_refused_and_nothing_stored(client: Client):
    wrong = task("t")
    wrong.task_id = str(uuid4())
    refused = await refusal(client, task("good"), wrong)
    assert (refused.code, refused.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "TASK_ID_MISMATCH",
    )
    assert refused.metadata == {
        "taskId": wrong.task_id,
        "computedTaskId": str(task_id("t")),
        "index": "1",
    }
    assert await get(client, "good") is None


async def test_an_id_known_under_another_name_is_refused_and_nothing_stored(client: Client):
    await register(client, task("t"))
    refused = await refusal(client, task("good"), task("t", version="2"))
    assert (refused.code, refused.reason) == (grpc.StatusCode.ALREADY_EXISTS, "TASK_CONFLICT")
    assert refused.metadata == {"taskId": str(task_id("t"))}
    assert await get(client, "good") is None


@pytest.mark.parametrize(
    ("tasks", "field"),
    [
        ([], "tasks"),
        ([TaskDefinition(name="t")], "tasks[0].task_id"),
        ([task("a"), task("t", namespace="n" * 256)], "tasks[1].namespace"),
        ([task("t"), task("t", output_uri="u")], "tasks[1]"),
        ([task("t", params_json='"\x00"')], "tasks[0].params_json"),
        ([task("t", params_json="[" * 65 + "]" * 65)], "tasks[0].params_json"),
        ([task("a"), nested(65)], "tasks[1].identity_json"),
        ([task("t", (uuid4(),) * 10_001)], "tasks[0].dependency_ids"),
    ],
)
async def test_what_breaks_a_rule_names_its_place(
    client: Client, tasks: list[TaskDefinition], field: str
):
    refused = await refusal(client, *tasks)
    assert (refused.reason, refused.fields) == ("REQUEST_INVALID", [field])
    assert await get(client, "a") is None


async def test_json_of_64_levels_is_taken(client: Client):
    brackets = task("t", params_json='{"a":"' + "[" * 99 + '"}')
    assert await register(client, nested(64), brackets) == (2, 0)


async def test_a_thousand_tasks_are_taken_and_no_more(client: Client):
    tasks = [task(str(number)) for number in range(1_001)]
    refused = await refusal(client, *tasks)
    assert (refused.reason, refused.metadata["limit"]) == ("MESSAGE_TOO_LARGE", "1000")
    assert await register(client, *tasks[1:]) == (1_000, 0)


async def test_tasks_registered_and_built_at_once_are_each_stored_once(server: RunningServer):
    names = [str(number) for number in range(100)]
    chained = [task(name, (task_id("root"),)) for name in names]

    async def build(client: Client) -> int:
        make = Producer()
        events: list[pb.NewEvent] = [make.pending(name) for name in reversed(names)]
        ack = await client.publish(make.open, [make.started(), *events])
        return ack.rejected_count

    async with server.client() as client:
        registered, rejected = await asyncio.gather(
            asyncio.gather(*(register(client, *tasks) for tasks in (chained, chained[::-1]) * 4)),
            asyncio.gather(*(build(client) for _ in range(4))),
        )
        assert all(created + existing == 100 for created, existing in registered)
        assert not any(rejected)
        assert await register(client, *chained) == (0, 100)
