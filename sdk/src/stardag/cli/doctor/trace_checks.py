"""Whether traces are asked for as OpenTelemetry understands it, and the collector takes them."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from stardag.cli.doctor.check import Check
from stardag.telemetry import sampling
from stardag.telemetry.current import traces_wanted
from stardag.tracking.traces.otlp import OtlpExporter

if TYPE_CHECKING:
    from collections.abc import Iterator

_TIMEOUT_S = 5.0


def trace_checks() -> Iterator[Check]:
    """Export no spans at all, which a collector answers like any others."""
    if not traces_wanted(os.environ):
        yield Check("traces", True, "the OTEL_* variables ask for none")
        return
    if mistake := sampling.mistake(os.environ):
        yield Check("sampler", False, mistake, "correct it, or unset it")
    try:
        exporter = OtlpExporter(timeout_s=_TIMEOUT_S)
    except Exception as error:  # whatever OpenTelemetry makes of its settings
        yield Check("traces", False, f"there are none: {error}", "correct the OTEL_* variables")
        return
    refusal = _refusal(exporter)
    if refusal is None:
        yield Check("traces", True, "the collector takes them")
    else:
        action = "check OTEL_EXPORTER_OTLP_ENDPOINT and _PROTOCOL, and that a collector runs there"
        yield Check("traces", False, refusal, action)


def _refusal(exporter: OtlpExporter) -> str | None:
    """Return what OpenTelemetry says first if nothing can be exported; None if that works."""
    said = _Said()
    log = logging.getLogger("opentelemetry")
    log.addHandler(said)
    try:
        return None if exporter.export([]) else said.first
    finally:
        log.removeHandler(said)
        exporter.close()


class _Said(logging.Handler):
    """Keeps the first line of a log: of those on repeated tries, the last names no cause."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())

    @property
    def first(self) -> str:
        return self._lines[0] if self._lines else "the collector does not take them"
