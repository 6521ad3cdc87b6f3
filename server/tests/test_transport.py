"""What surrounds every call: credentials, errors with details, health, reflection."""

import importlib
import pkgutil
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import grpc
import pytest
import sqlalchemy as sa
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from producer import Producer, task_id
from running_server import Client, Refused, RunningServer, running

import stardag.v1
from stardag.v1 import error_reason_pb2, task_pb2
from stardag.v1 import event_pb2 as pb
from stardag.v1.build_pb2 import BUILD_STATUS_RUNNING
from stardag.v1.build_service_pb2 import (
    GetBuildGraphRequest,
    GetBuildRequest,
    ListBuildsRequest,
    ListTaskStatesRequest,
)
from stardag.v1.registry_service_pb2 import GetTaskRequest
from stardag_server.domain import refusals
from stardag_server.services import build_service
from stardag_server.transport.server import OPEN_METHODS
from stardag_server.transport.status import _CODES, refusal_status


def contract_methods() -> list[tuple[str, bool, bool]]:
    """Every method of the contract: its path, and whether either side streams."""
    methods: list[tuple[str, bool, bool]] = []
    for module in pkgutil.iter_modules(stardag.v1.__path__):
        if module.name.endswith("_pb2"):
            loaded = importlib.import_module(f"stardag.v1.{module.name}")
            file: FileDescriptor = loaded.DESCRIPTOR
            for service in file.services_by_name.values():
                methods += [
                    (
                        f"/{service.full_name}/{method.name}",
                        method.client_streaming,
                        method.server_streaming,
                    )
                    for method in service.methods
                ]
    return methods


async def call_raw(
    client: Client,
    method: tuple[str, bool, bool],
    data: bytes,
    metadata: tuple[tuple[str, str], ...],
) -> Refused:
    """Call a method with these bytes as its request; return how it is refused."""
    path, request_streams, response_streams = method
    channel = client.channel
    make: Any = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, False): channel.stream_unary,
        (True, True): channel.stream_stream,
    }[request_streams, response_streams]
    request: Any = iter([data]) if request_streams else data
    call = make(path)(request, metadata=metadata)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        if response_streams:
            async for _ in call:
                pass
        else:
            await call
    return Refused.of(caught.value)


@pytest.fixture
async def sqlite_server(sqlite_url: sa.URL, tmp_path: Path) -> Any:
    async with running(sqlite_url, tmp_path / "data", reflection=True) as server:
        yield server


@pytest.fixture
async def one(sqlite_server: RunningServer) -> Any:
    """A client of a server on SQLite; for what no database has a part in."""
    async with sqlite_server.client() as client:
        yield client


async def test_every_method_of_the_contract_wants_a_credential(one: Client):
    methods = contract_methods()
    assert len(methods) == 51
    for method in methods:
        refused = await call_raw(one, method, b"", ())
        assert (refused.code, refused.reason) == (
            grpc.StatusCode.UNAUTHENTICATED,
            "CREDENTIAL_MISSING",
        ), method


@pytest.mark.parametrize(
    "values",
    [["Bearer wrong"], ["Bearer "], ["{token}"], ["Basic {token}"], ["Bearer {token}"] * 2],
)
async def test_a_wrong_credential_is_refused_everywhere(one: Client, values: list[str]):
    token = one.metadata[0][1].removeprefix("Bearer ")
    metadata = tuple(("authorization", value.format(token=token)) for value in values)
    for method in contract_methods():
        refused = await call_raw(one, method, b"", metadata)
        assert (refused.code, refused.reason) == (
            grpc.StatusCode.UNAUTHENTICATED,
            "CREDENTIAL_INVALID",
        ), method
        assert token not in refused.message


async def test_bytes_that_do_not_parse_are_an_invalid_argument(one: Client):
    for method in contract_methods():
        refused = await call_raw(one, method, b"\xff\xff\xff", one.metadata)
        assert (refused.code, refused.reason) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "REQUEST_INVALID",
        ), method


async def test_no_empty_request_is_a_fault(one: Client):
    for path, request_streams, response_streams in contract_methods():
        if request_streams or response_streams:
            continue
        channel: Any = one.channel
        try:
            await channel.unary_unary(path)(b"", metadata=one.metadata)
        except grpc.aio.AioRpcError as error:
            refused = Refused.of(error)
            assert refused.code not in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN), path
            if refused.code is grpc.StatusCode.UNIMPLEMENTED:
                assert refused.reason == "NOT_IMPLEMENTED" and refused.metadata["what"] in path


def test_only_health_is_open_to_all():
    assert {"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"} == OPEN_METHODS


async def test_reflection_wants_a_credential_and_is_off_by_default(
    one: Client, sqlite_url: sa.URL, tmp_path: Path
):
    request = reflection_pb2.ServerReflectionRequest(list_services="")

    async def services(client: Client, metadata: Any) -> set[str]:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(cast(Any, client.channel))
        found: set[str] = set()
        async for response in stub.ServerReflectionInfo(iter([request]), metadata=metadata):
            found |= {service.name for service in response.list_services_response.service}
        return found

    assert "stardag.v1.EventService" in await services(one, one.metadata)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await services(one, ())
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
    async with running(sqlite_url, tmp_path / "plain") as server, server.client() as plain:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await services(plain, plain.metadata)
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection_tells_of_itself_in_each_version(one: Client, version: str):
    name = f"grpc.reflection.{version}.ServerReflection"
    ask = one.channel.stream_stream(
        f"/{name}/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    request = reflection_pb2.ServerReflectionRequest(file_containing_symbol=name)
    [response] = [r async for r in ask(iter([request]), metadata=one.metadata)]
    [file] = response.file_descriptor_response.file_descriptor_proto
    described = FileDescriptorProto.FromString(file)
    assert described.package == f"grpc.reflection.{version}"
    assert described.service[0].method[0].input_type.startswith(f".{described.package}.")


@pytest.mark.parametrize(
    ("symbol", "file"),
    [
        ("stardag.v1.BuildService", "stardag/v1/build_service.proto"),
        ("stardag.v1.BuildService.ListBuilds", "stardag/v1/build_service.proto"),
        ("stardag.v1.NewEvent.detail", "stardag/v1/event.proto"),
        ("stardag.v1.BuildService.Unheard", ""),
        ("stardag.v1.Unheard", ""),
    ],
)
async def test_reflection_tells_in_which_file_a_symbol_is(one: Client, symbol: str, file: str):
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(cast(Any, one.channel))
    request = reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol)
    [response] = [
        r async for r in stub.ServerReflectionInfo(iter([request]), metadata=one.metadata)
    ]
    found = response.file_descriptor_response.file_descriptor_proto
    assert [FileDescriptorProto.FromString(one).name for one in found[:1]] == [file] * bool(file)
    assert response.HasField("error_response") == (not file)


async def test_health_is_told_to_anybody(one: Client):
    stub: Any = health_pb2_grpc.HealthStub(one.channel)
    for service in ("", "stardag.v1.EventService"):
        response = await stub.Check(health_pb2.HealthCheckRequest(service=service))
        assert response.status == health_pb2.HealthCheckResponse.SERVING


async def test_health_says_that_the_server_drains(sqlite_url: sa.URL, tmp_path: Path):
    async with running(sqlite_url, tmp_path / "data") as server:
        channel = grpc.aio.insecure_channel(server.address)
        stub: Any = health_pb2_grpc.HealthStub(channel)
        states = aiter(stub.Watch(health_pb2.HealthCheckRequest()))
        assert (await anext(states)).status == health_pb2.HealthCheckResponse.SERVING
    assert (await anext(states)).status == health_pb2.HealthCheckResponse.NOT_SERVING
    await channel.close()


async def test_a_fault_leaks_nothing_but_an_id_that_is_in_the_log(
    one: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def break_down(*_: object) -> None:
        raise RuntimeError("secret of the house")

    monkeypatch.setattr(build_service, "parse_order", break_down)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await one.builds.ListBuilds(ListBuildsRequest(), metadata=one.metadata)
    refused = Refused.of(caught.value)
    assert (refused.code, refused.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL_ERROR")
    assert "secret" not in str(caught.value)
    assert refused.metadata["errorId"] in caplog.text
    assert "secret of the house" in caplog.text


async def test_what_is_not_known_is_not_found_and_named(one: Client):
    id = str(uuid4())
    calls: list[Any] = [
        one.builds.GetBuild(GetBuildRequest(build_id=id), metadata=one.metadata),
        one.builds.ListTaskStates(ListTaskStatesRequest(build_id=id), metadata=one.metadata),
        one.registry.GetTask(GetTaskRequest(task_id=id), metadata=one.metadata),
    ]
    reasons = ["BUILD_NOT_FOUND", "BUILD_NOT_FOUND", "TASK_NOT_FOUND"]
    for call, reason in zip(calls, reasons, strict=True):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        refused = Refused.of(caught.value)
        assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, reason)
        assert list(refused.metadata.values()) == [id]


async def test_an_id_that_is_none_names_its_field(one: Client):
    for text in ("", "x", uuid4().hex, f"{{{uuid4()}}}"):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await one.builds.GetBuild(GetBuildRequest(build_id=text), metadata=one.metadata)
        refused = Refused.of(caught.value)
        assert (refused.reason, refused.fields) == ("REQUEST_INVALID", ["build_id"])


def test_every_reason_of_the_contract_has_a_refusal_and_a_code():
    def leaves(kind: type[refusals.Refusal]) -> list[type[refusals.Refusal]]:
        below = [leaf for child in kind.__subclasses__() for leaf in leaves(child)]
        return below or [kind]

    named = set(error_reason_pb2.ErrorReason.values()) - {
        error_reason_pb2.ERROR_REASON_UNSPECIFIED,
        error_reason_pb2.ERROR_REASON_INTERNAL_ERROR,
    }
    assert {kind.reason for kind in leaves(refusals.Refusal)} == named
    assert set(_CODES) == named


def test_a_status_is_small_whatever_the_request_was():
    long = "\U0010ffff" * 90_000
    refusal = refusals.RequestInvalid(long, violations=[refusals.Violation(long, long)] * 500)
    assert refusal_status(refusal).ByteSize() < 8 << 10
    assert refusal_status(refusals.LimitNotFound(long)).ByteSize() < 8 << 10


async def test_builds_are_listed_newest_first_in_pages(client: Client):
    makers = [Producer() for _ in range(7)]
    for number, make in enumerate(makers):
        events = [make.started(name=str(number), root_task_ids=[str(uuid4())])]
        await client.publish(make.open, [*events, *([make.completed()] if number % 2 else [])])
    newest_first = [make.build_id for make in reversed(makers)]

    async def pages(**request: Any) -> list[list[str]]:
        found: list[list[str]] = []
        token = ""
        while token or not found:
            response = await client.builds.ListBuilds(
                ListBuildsRequest(page_token=token, **request), metadata=client.metadata
            )
            found.append([build.build_id for build in response.builds])
            assert not any(build.root_task_ids for build in response.builds)
            token = response.next_page_token
        return found

    assert await pages() == [newest_first]
    assert await pages(page_size=3) == [newest_first[:3], newest_first[3:6], newest_first[6:]]
    assert await pages(page_size=7) == [newest_first]
    assert await pages(statuses=[2], page_size=2) == [newest_first[1:5:2], newest_first[5:6]]


async def test_states_are_listed_in_pages_as_tasks_entered_the_build(client: Client):
    make = Producer()
    events = [event for number in range(5) for event in make.run(str(number))]
    await client.publish(make.open, [make.started(), *events, make.pending("last")])
    found: list[str] = []
    token = ""
    while token or not found:
        request = ListTaskStatesRequest(build_id=make.build_id, page_size=2, page_token=token)
        response = await client.builds.ListTaskStates(request, metadata=client.metadata)
        found += [state.task_id for state in response.task_states]
        token = response.next_page_token
    assert found == [str(task_id(name)) for name in ("0", "1", "2", "3", "4", "last")]
    request = ListTaskStatesRequest(build_id=make.build_id, statuses=[task_pb2.TASK_STATUS_PENDING])
    response = await client.builds.ListTaskStates(request, metadata=client.metadata)
    assert [state.name for state in response.task_states] == ["last"]


async def test_no_answer_outgrows_a_message(client: Client):
    make = Producer()
    roots = [str(uuid4()) for _ in range(10_000)]
    await client.publish(make.open, [make.started(root_task_ids=roots)])
    sequence = 2
    for begin in range(0, 48, 6):
        events = [
            make.event(
                pb.EVENT_TYPE_TASK_FAILED,
                str(number),
                1,
                # Limits of texts count characters, of which each has four bytes here.
                failure=task_pb2.TaskFailure(stack_trace="\U0001f600" * (32 << 10)),
            )
            for number in range(begin, begin + 6)
        ]
        await client.publish(make.open, events, first=sequence)
        sequence += len(events)
    build = GetBuildRequest(build_id=make.build_id)
    answer = await client.builds.GetBuild(build, metadata=client.metadata)
    assert len(answer.build.root_task_ids) == 10_000 and answer.ByteSize() < 1 << 20
    token, found = "", 0
    while token or not found:
        request = ListTaskStatesRequest(build_id=make.build_id, page_size=1_000, page_token=token)
        page = await client.builds.ListTaskStates(request, metadata=client.metadata)
        assert page.ByteSize() < 1_100_000
        found, token = found + len(page.task_states), page.next_page_token
    assert found == 48


async def test_a_page_token_of_another_query_is_refused(client: Client):
    for make in (Producer(), Producer()):
        await client.publish(make.open, [make.started()])
    response = await client.builds.ListBuilds(
        ListBuildsRequest(page_size=1), metadata=client.metadata
    )
    request = ListBuildsRequest(
        page_token=response.next_page_token, statuses=[BUILD_STATUS_RUNNING]
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.builds.ListBuilds(request, metadata=client.metadata)
    refused = Refused.of(caught.value)
    assert (refused.code, refused.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "PAGE_TOKEN_INVALID",
    )


async def test_a_graph_is_all_nodes_and_then_all_edges(client: Client):
    make = Producer()
    names = [str(number) for number in range(1_500)]
    events = [make.pending(name, [str(int(name) - 1)] if int(name) else []) for name in names]
    await client.publish(make.open, [make.started(), *events])
    parts = [
        part
        async for part in client.builds.GetBuildGraph(
            GetBuildGraphRequest(build_id=make.build_id), metadata=client.metadata
        )
    ]
    nodes = [node.name for part in parts for node in part.nodes]
    edges = [
        (nodes[upstream], nodes[downstream])
        for part in parts
        for upstream, downstream in zip(part.edge_upstreams, part.edge_downstreams, strict=True)
    ]
    assert nodes == names
    assert sorted(edges) == sorted((str(n - 1), str(n)) for n in range(1, 1_500))
    assert {(part.total_nodes, part.total_edges) for part in parts} == {(1_500, 1_499)}
    assert max(part.ByteSize() for part in parts) < 1 << 20


async def test_an_empty_graph_is_one_empty_part(client: Client):
    make = Producer()
    await client.publish(make.open, [make.started()])
    parts = [
        part
        async for part in client.builds.GetBuildGraph(
            GetBuildGraphRequest(build_id=make.build_id), metadata=client.metadata
        )
    ]
    assert [(part.total_nodes, part.total_edges) for part in parts] == [(0, 0)]


async def test_a_task_is_told_with_its_definition_and_latest_state(client: Client):
    make = Producer()
    body = '{"a":"\\u0000"}'
    events = [make.pending("t", ["u"], params_json=body, output_uri="s3://t", namespace="n")]
    await client.publish(make.open, [make.started(), *events])

    async def get(name: str) -> task_pb2.Task:
        request = GetTaskRequest(task_id=str(task_id(name)))
        return (await client.registry.GetTask(request, metadata=client.metadata)).task

    task = await get("t")
    assert (task.namespace, task.name, task.params_json, task.output_uri) == (
        "n",
        "t",
        body,
        "s3://t",
    )
    assert list(task.dependency_ids) == [str(task_id("u"))]
    assert task.latest_state.build_id == make.build_id
    assert not task.placeholder and task.create_time.seconds
    assert (await get("u")).placeholder
