"""Whatever value a field has, the answer is one of the contract."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import grpc
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from producer import Producer, identity_json, task_id
from running_server import Client, Refused
from test_hostile_port import inputs
from test_transport import contract_methods

from stardag.v1.asset_pb2 import ASSET_KIND_MARKDOWN
from stardag.v1.asset_service_pb2 import AssetDraft, PutAssetRequest

BUILD, TASK = UUID(int=1), task_id("a")

KNOWN: dict[str, Any] = {
    "build_id": str(BUILD),
    "base_build_id": str(BUILD),
    "task_id": str(TASK),
    "task_ids": str(TASK),
    "stream_id": str(UUID(int=2)),
    "holder_id": str(UUID(int=3)),
    "name": "a",
    "limit": "a",
    "display_name": "a",
    "first_sequence": 1,
    "page_size": 1,
    "content": b"x",
    "scopes": 1,
    "direction": 1,
    "seconds": 60,
    "identity_json": identity_json("a"),
}
"""Values with which a request gets as far as to the database, by field."""

Place = tuple[str, ...]


def put(message: Message, place: Place, value: Any) -> None:
    """Set what is at a place; in a repeated field, its only element."""
    *above, last = place
    for name in above:
        inner = getattr(message, name)
        message = inner if isinstance(inner, Message) else (inner[0] if inner else inner.add())
    field = message.DESCRIPTOR.fields_by_name[last]
    if field.is_repeated:
        message.ClearField(last)  # pyright: ignore[reportArgumentType]
        if field.message_type and field.message_type.GetOptions().map_entry:
            getattr(message, last).update({value: value})
        else:
            getattr(message, last).append(value)
    else:
        setattr(message, last, value)


def places(kind: Any, above: Place = ()) -> Iterator[tuple[Place, FieldDescriptor]]:
    """Yield every field of a message, and of those within it, that holds a plain value."""
    for field in kind.fields:
        inner = field.message_type
        if inner is None or inner.GetOptions().map_entry:
            yield (*above, field.name), field
        elif len(above) < 3:
            yield from places(inner, (*above, field.name))


def sound(kind: type[Message]) -> Message:
    """Return a request of this kind with which the database is asked, by what is known of it."""
    request = kind()
    for place, field in places(kind.DESCRIPTOR):
        is_enum = field.type == FieldDescriptor.TYPE_ENUM
        value = 1 if is_enum else KNOWN.get(place[-1])
        if isinstance(value, str) and field.type == FieldDescriptor.TYPE_BYTES:
            value = UUID(value).bytes
        if value is not None:
            put(request, place, value)
    return request


def extremes(field: FieldDescriptor) -> list[Any]:
    """Return the values of a field's type that are furthest from what is usual."""
    if field.message_type:
        return ["a\x00", "x" * 300_000]
    match field.type:
        case FieldDescriptor.TYPE_STRING:
            return ["a\x00b", "x" * 300_000, "\U0010ffff"]
        case FieldDescriptor.TYPE_BYTES:
            return [b"", b"\x00", b"\xff" * 300_000]
        case FieldDescriptor.TYPE_INT32 | FieldDescriptor.TYPE_ENUM:
            return [-(2**31), 2**31 - 1]
        case FieldDescriptor.TYPE_UINT32:
            return [2**32 - 1]
        case FieldDescriptor.TYPE_INT64:
            return [-(2**63), 2**63 - 1]
        case FieldDescriptor.TYPE_UINT64:
            return [2**64 - 1]
        case FieldDescriptor.TYPE_DOUBLE:
            return [float("nan"), float("-inf")]
        case _:
            return [True]


async def reason(client: Client, path: str, streamed: bool, request: Message) -> str:
    """Call a method; return the reason for which it refuses the request, if it does."""
    channel: Any = client.channel
    make = channel.unary_stream if streamed else channel.unary_unary
    call = make(path)(request.SerializeToString(), metadata=client.metadata, timeout=20)
    try:
        if streamed:
            await anext(aiter(call), None)
            call.cancel()
        else:
            await call
    except grpc.aio.AioRpcError as error:
        return Refused.of(error).reason
    return ""


async def test_no_extreme_value_is_a_fault(client: Client):
    make = Producer(build=BUILD)
    await client.publish(make.open, [make.started(name="b"), *make.run("a")])
    draft = AssetDraft(task_id=str(TASK), name="a", kind=ASSET_KIND_MARKDOWN)
    asset = PutAssetRequest(draft=draft, content=b"x")
    await client.assets.PutAsset(asset, metadata=client.metadata)
    kinds = inputs()
    for path, request_streams, response_streams in contract_methods():
        if request_streams:
            continue
        for place, field in places(kinds[path].DESCRIPTOR):
            for value in extremes(field):
                request = sound(kinds[path])
                put(request, place, value)
                refused = await reason(client, path, response_streams, request)
                assert refused != "INTERNAL_ERROR", (path, str(request)[:300])
