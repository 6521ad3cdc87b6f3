"""From the contract's services to grpc handlers, by their descriptors.

So every method of the contract is served, or the server does not start.
"""

from __future__ import annotations

import re
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass


def service_handler(descriptor: ServiceDescriptor, service: object) -> grpc.GenericRpcHandler:
    """Return the handler of a service, whose methods are those of the contract in snake case.

    Raises AttributeError if one is missing.
    """
    return grpc.method_handlers_generic_handler(
        descriptor.full_name,
        {method.name: _method_handler(method, service) for method in descriptor.methods},
    )


def _method_handler(method: MethodDescriptor, service: object) -> Any:
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", method.name).lower()
    bound = getattr(service, name)
    make: Any = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[method.client_streaming, method.server_streaming]

    def serve(request: Any, _context: object) -> Any:
        return bound(request)

    return make(
        serve,
        request_deserializer=GetMessageClass(method.input_type).FromString,
        response_serializer=_encoded,
    )


def _encoded(response: Message | bytes) -> bytes:
    """Return the response; one that goes to many is encoded already, once for all."""
    return response if isinstance(response, bytes) else response.SerializeToString()
