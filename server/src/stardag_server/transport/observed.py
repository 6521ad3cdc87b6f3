"""What operators see of a call: metrics, a span, and a line of the log."""

from __future__ import annotations

import logging
import time
from types import TracebackType
from typing import Self

import grpc
from opentelemetry import propagate, trace

from stardag_server.metrics import Metrics

_log = logging.getLogger(__name__)
_tracer = trace.get_tracer("stardag_server")

_NAMES: dict[int, str] = {code.value[0]: code.name for code in grpc.StatusCode}
_OK: int = grpc.StatusCode.OK.value[0]
_CANCELLED: int = grpc.StatusCode.CANCELLED.value[0]
_UNKNOWN: int = grpc.StatusCode.UNKNOWN.value[0]


class ObservedCall:
    """Observes one call, which is under way during the block.

    It ended well unless `failed_with` says otherwise, and was cancelled if something
    leaves the block without that.
    """

    def __init__(
        self, metrics: Metrics, details: grpc.HandlerCallDetails, one_response: bool
    ) -> None:
        self._metrics = metrics
        self._method = str(details.method)
        self._metadata = details.invocation_metadata
        self._one_response = one_response
        self._code: int | None = None

    def failed_with(self, code: int) -> None:
        """Note the status code with which the call will end."""
        self._code = code

    def __enter__(self) -> Self:
        self._began = self._metrics.call_began(self._method)
        carrier = {key: value for key, value in self._metadata or () if isinstance(value, str)}
        service, _, method = self._method.lstrip("/").partition("/")
        self._span = _tracer.start_span(
            f"{service}/{method}",
            propagate.extract(carrier),
            trace.SpanKind.SERVER,
            {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method},
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._code is None:
            left = _UNKNOWN if isinstance(error, Exception) else _CANCELLED
            self._code = _OK if error is None else left
        name = _NAMES.get(self._code, "UNKNOWN")
        self._metrics.call_ended(self._method, self._began, name, self._one_response)
        self._span.set_attribute("rpc.grpc.status_code", self._code)
        self._span.end()
        if _log.isEnabledFor(logging.DEBUG):
            took = (time.perf_counter() - self._began) * 1_000
            _log.debug("%s ended with %s after %.1f ms", self._method, name, took)
