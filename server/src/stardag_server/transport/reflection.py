"""Reflection: the contract, told by the server itself, in both versions that tools ask for.

The library has v1alpha alone. The messages of v1 are the same to the byte, but for their names, so
one servicer answers both.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import grpc
from google.protobuf import descriptor_pool, text_format
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha import reflection, reflection_pb2

from stardag_server.transport.symbols import Symbols


def _file_of_v1() -> FileDescriptor:
    """Add the file of v1 to Protobuf's pool, made of that of v1alpha, and return it."""
    proto = FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(proto)
    renamed = text_format.MessageToString(proto).replace("v1alpha", "v1")
    text_format.Parse(renamed, proto := FileDescriptorProto())
    return descriptor_pool.Default().AddSerializedFile(proto.SerializeToString())


VERSIONS = tuple(
    file.services_by_name["ServerReflection"] for file in (_file_of_v1(), reflection_pb2.DESCRIPTOR)
)
"""The services, the one that tools ask first being the first."""


def reflection_handlers(names: Iterable[str]) -> list[grpc.GenericRpcHandler]:
    """Return the handlers that tell of the services with these full names, and of themselves."""
    every = [*names, *(service.full_name for service in VERSIONS)]
    servicer: Any = reflection.aio.ReflectionServicer(every, cast("Any", Symbols()))
    info = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    return [
        grpc.method_handlers_generic_handler(service.full_name, {"ServerReflectionInfo": info})
        for service in VERSIONS
    ]
