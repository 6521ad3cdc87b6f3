"""What the server measures of itself, for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from stardag.v1.event_pb2 import EventRejection, EventRejectionReason

_CALL_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_COMMIT_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_COMMIT_EVENTS = (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000)
_REASON_PREFIX = "EVENT_REJECTION_REASON_"


class Metrics:
    """The metrics of one server. docs/operating.md says what each means.

    No label holds what a client chose: there are as many series as there are
    methods, codes and reasons in the contract.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._calls = Counter(
            "stardag_calls", "Calls that ended.", ("method", "code"), registry=self._registry
        )
        self._open = Gauge(
            "stardag_open_calls",
            "Calls under way: publishing streams and watches are those that stay.",
            ("method",),
            registry=self._registry,
        )
        self._call_seconds = Histogram(
            "stardag_call_seconds",
            "Duration of calls with one response.",
            ("method",),
            buckets=_CALL_SECONDS,
            registry=self._registry,
        )
        self._events = Counter(
            "stardag_ingest_events", "Events that are durable.", registry=self._registry
        )
        self._rejected = Counter(
            "stardag_ingest_rejected_events",
            "Events that were stored without being applied.",
            ("reason",),
            registry=self._registry,
        )
        self._commit_seconds = Histogram(
            "stardag_ingest_commit_seconds",
            "Duration of a group commit.",
            buckets=_COMMIT_SECONDS,
            registry=self._registry,
        )
        self._commit_events = Histogram(
            "stardag_ingest_commit_events",
            "Events in a group commit.",
            buckets=_COMMIT_EVENTS,
            registry=self._registry,
        )
        self._failed_commits = Counter(
            "stardag_ingest_failed_commits",
            "Group commits that failed, and whose batches clients send again.",
            registry=self._registry,
        )
        self._ready = Gauge(
            "stardag_ready", "1 if the server can serve, else 0.", registry=self._registry
        )

    def queue(self, events: Callable[[], float], lag: Callable[[], float]) -> None:
        """Show how many events wait for a commit, and for how many seconds the oldest has."""
        for name, what, read in (
            ("stardag_ingest_queue_events", "Events that wait for a commit.", events),
            ("stardag_ingest_lag_seconds", "Age of the oldest event that waits.", lag),
        ):
            Gauge(name, what, registry=self._registry).set_function(read)

    def call_began(self, method: str) -> float:
        """Count a call as open; return the time for `call_ended`."""
        self._open.labels(method).inc()
        return time.perf_counter()

    def call_ended(self, method: str, began: float, code: str, unary: bool) -> None:
        """Count a call as ended with the name of a gRPC status code."""
        self._open.labels(method).dec()
        self._calls.labels(method, code).inc()
        if unary:
            self._call_seconds.labels(method).observe(time.perf_counter() - began)

    def committed(self, seconds: float, events: int, rejections: Sequence[EventRejection]) -> None:
        """Count a group commit and the events of it."""
        self._commit_seconds.observe(seconds)
        self._commit_events.observe(events)
        self._events.inc(events)
        for rejection in rejections:
            reason = EventRejectionReason.Name(rejection.reason).removeprefix(_REASON_PREFIX)
            self._rejected.labels(reason).inc()

    def commit_failed(self) -> None:
        """Count a group commit of which nothing was stored."""
        self._failed_commits.inc()

    def ready(self, ready: bool) -> None:
        """Show whether the server can serve."""
        self._ready.set(ready)

    def text(self) -> bytes:
        """Return all metrics as Prometheus reads them."""
        return generate_latest(self._registry)
