"""Fields and values suggested for a filter, over a real socket and on both databases."""

import json
from typing import Any
from uuid import UUID

import grpc
import pytest
from producer import Producer
from running_server import Client, Refused

from stardag.v1.build_service_pb2 import ListBuildsRequest
from stardag.v1.registry_service_pb2 import (
    FILTER_FIELD_TYPE_BOOLEAN,
    FILTER_FIELD_TYPE_COMPOUND,
    FILTER_FIELD_TYPE_ENUM,
    FILTER_FIELD_TYPE_NUMBER,
    FILTER_FIELD_TYPE_TEXT,
    FILTER_FIELD_TYPE_TIME,
    FILTER_SUBJECT_BUILDS,
    FILTER_SUBJECT_TASKS,
    ListTasksRequest,
    RegisterTasksRequest,
    SuggestFilterValuesRequest,
    SuggestFilterValuesResponse,
)
from stardag.v1.task_pb2 import TaskDefinition
from stardag_server.domain.event_check import task_id_of
from stardag_server.domain.filter_fields import BUILD_FIELDS, TASK_FIELDS


async def register(client: Client, name: str, **params: Any) -> None:
    identity = json.dumps({"__name": name, **params})
    definition = TaskDefinition(
        task_id=str(UUID(bytes=task_id_of(identity))),
        name=name,
        identity_json=identity,
        params_json=json.dumps(params),
    )
    request = RegisterTasksRequest(tasks=[definition])
    await client.registry.RegisterTasks(request, metadata=client.metadata)


async def suggest(client: Client, field: str = "", prefix: str = "", **more: Any):
    request = SuggestFilterValuesRequest(field=field, prefix=prefix, **more)
    response: SuggestFilterValuesResponse = await client.registry.SuggestFilterValues(
        request, metadata=client.metadata
    )
    return response


def shown(response: SuggestFilterValuesResponse) -> list[tuple[str, int, int]]:
    return [(each.text, each.type, each.count) for each in response.suggestions]


def texts(response: SuggestFilterValuesResponse) -> list[str]:
    return [each.text for each in response.suggestions]


@pytest.fixture
async def filled(client: Client) -> Client:
    """A client of a server that has some tasks and builds."""
    await register(client, "Train", lr=0.1, depth=3, **{"odd key": "a b"})
    await register(client, "Train", lr=0.2, depth=3, model={"kind": "tree"}, final=True)
    await register(client, "Train", lr="auto", tags=["x", "y"], none=None)
    await register(client, "Load data", source='"s3"')
    for name, labels in (("nightly", {"team": "search"}), ("nightly", {"team": "ads", "AND": "1"})):
        make = Producer()
        start = make.started(name=name, labels=labels)
        start.build_start.source.commit = "abc123"
        await client.publish(make.open, [start, make.completed()])
    return client


async def test_fields_are_those_of_the_list_with_parameters_that_occur_most_often_first(
    filled: Client,
):
    response = await suggest(filled, max_suggestions=100)
    assert shown(response)[:2] == [
        ("params.lr", FILTER_FIELD_TYPE_NUMBER, 3),
        ("params.depth", FILTER_FIELD_TYPE_NUMBER, 2),
    ]
    found = {text: type for text, type, _ in shown(response)}
    assert found['params."odd key"'] == FILTER_FIELD_TYPE_TEXT
    assert found["params.final"] == FILTER_FIELD_TYPE_BOOLEAN
    assert found["params.model"] == found["params.tags"] == FILTER_FIELD_TYPE_COMPOUND
    assert found["status"] == FILTER_FIELD_TYPE_ENUM
    assert found["create_time"] == FILTER_FIELD_TYPE_TIME
    assert found["duration"] == FILTER_FIELD_TYPE_NUMBER
    assert {*TASK_FIELDS} - {*found} == {"params"} and not response.truncated


async def test_fields_of_builds_are_those_of_builds(filled: Client):
    response = await suggest(filled, subject=FILTER_SUBJECT_BUILDS, max_suggestions=100)
    assert shown(response)[:2] == [
        ("labels.team", FILTER_FIELD_TYPE_TEXT, 2),
        ('labels."AND"', FILTER_FIELD_TYPE_TEXT, 1),
    ]
    assert {*BUILD_FIELDS} - {*texts(response)} == {"labels"}


async def test_a_prefix_is_what_suggestions_begin_with(filled: Client):
    assert texts(await suggest(filled, prefix="params.d")) == ["params.depth"]
    assert texts(await suggest(filled, prefix="params.odd")) == ['params."odd key"']
    assert texts(await suggest(filled, prefix="na")) == ["name", "namespace"]
    assert texts(await suggest(filled, "name", "Load")) == ['"Load data"']
    assert texts(await suggest(filled, "name", "load")) == []
    assert texts(await suggest(filled, "name", "%")) == []
    assert texts(await suggest(filled, "params.lr", "0.")) == ["0.1", "0.2"]


async def test_values_are_those_that_occur_as_a_filter_spells_them(filled: Client):
    assert shown(await suggest(filled, "name")) == [
        ("Train", FILTER_FIELD_TYPE_TEXT, 3),
        ('"Load data"', FILTER_FIELD_TYPE_TEXT, 1),
    ]
    assert shown(await suggest(filled, "params.depth")) == [("3", FILTER_FIELD_TYPE_NUMBER, 2)]
    assert shown(await suggest(filled, "params.lr")) == [
        ("0.1", FILTER_FIELD_TYPE_NUMBER, 1),
        ("0.2", FILTER_FIELD_TYPE_NUMBER, 1),
        ("auto", FILTER_FIELD_TYPE_TEXT, 1),
    ]
    assert texts(await suggest(filled, "params.model.kind")) == ["tree"]
    assert texts(await suggest(filled, "params.tags[1]")) == ["y"]
    assert texts(await suggest(filled, 'params."odd key"')) == ['"a b"']
    assert texts(await suggest(filled, "params.final")) == ["true"]
    assert texts(await suggest(filled, "params.none")) == ["null"]
    assert texts(await suggest(filled, "params.source")) == ['"\\"s3\\""']
    assert texts(await suggest(filled, "status", "COMP")) == ["COMPLETED"]
    of_builds: dict[str, Any] = {"subject": FILTER_SUBJECT_BUILDS}
    assert texts(await suggest(filled, "name", **of_builds)) == ["nightly"]
    assert texts(await suggest(filled, "labels.team", **of_builds)) == ["ads", "search"]
    assert texts(await suggest(filled, "source.commit", **of_builds)) == ["abc123"]
    assert texts(await suggest(filled, "source.dirty", **of_builds)) == ["false", "true"]


async def test_each_suggestion_makes_a_filter_that_finds_something(filled: Client):
    for subject, fields in (
        (FILTER_SUBJECT_TASKS, TASK_FIELDS),
        (FILTER_SUBJECT_BUILDS, BUILD_FIELDS),
    ):
        for field in texts(await suggest(filled, subject=subject, max_suggestions=100)):
            response = await suggest(filled, field, subject=subject)
            for each in response.suggestions:
                if not each.count:
                    continue
                filter = f"{field} = {each.text}"
                if fields is TASK_FIELDS:
                    request = ListTasksRequest(filter=filter)
                    page = await filled.registry.ListTasks(request, metadata=filled.metadata)
                    found = len(page.tasks)
                else:
                    listing = ListBuildsRequest(filter=filter)
                    page = await filled.builds.ListBuilds(listing, metadata=filled.metadata)
                    found = len(page.builds)
                assert found == each.count, filter


async def test_of_more_than_was_asked_for_it_says_so(filled: Client):
    response = await suggest(filled, "name", max_suggestions=1)
    assert texts(response) == ["Train"] and response.truncated
    assert len(texts(await suggest(filled))) == 20


async def test_where_nothing_is_there_is_nothing_to_suggest(client: Client):
    assert texts(await suggest(client, "name")) == []
    for field in ("task_id", "create_time", "duration", "attempt", "params.lr", "params"):
        assert texts(await suggest(client, field)) == []


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"field": "nonsense"}, "FILTER_INVALID"),
        ({"field": "name.x"}, "FILTER_INVALID"),
        ({"field": "labels.team"}, "FILTER_INVALID"),
        ({"field": "params."}, "FILTER_INVALID"),
        ({"field": "name = x"}, "FILTER_INVALID"),
        ({"field": "params.x" * 1_000}, "FILTER_INVALID"),
        ({"field": "params; DROP TABLE tasks"}, "FILTER_INVALID"),
        ({"subject": 9}, "REQUEST_INVALID"),
        ({"prefix": "x" * 256}, "REQUEST_INVALID"),
        ({"prefix": "a\x00"}, "REQUEST_INVALID"),
        ({"max_suggestions": -1}, "REQUEST_INVALID"),
    ],
)
async def test_what_can_not_be_suggested_is_refused(
    client: Client, fields: dict[str, Any], reason: str
):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await suggest(client, **fields)
    refused = Refused.of(caught.value)
    assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
