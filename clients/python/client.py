"""Publishes a build, watches it live, and reads it back, with the stubs and grpcio alone.

`client.py CASES_JSON`, with the server's address in STARDAG_SERVER and a credential in
STARDAG_TOKEN. The last line is a JSON object that says what it saw.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any, cast
from uuid import UUID, uuid4, uuid5

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

from stardag.v1.build_service_pb2 import GetBuildRequest, ListBuildsRequest, ListTaskStatesRequest
from stardag.v1.build_service_pb2_grpc import BuildServiceStub
from stardag.v1.event_pb2 import BuildStart, EventType, NewEvent
from stardag.v1.event_service_pb2 import (
    OpenEventStream,
    PublishEventsRequest,
    PublishEventsResponse,
    WatchBuildRequest,
)
from stardag.v1.event_service_pb2_grpc import EventServiceStub
from stardag.v1.task_pb2 import TaskDefinition, TaskFailure, TaskStatus

NAMESPACE = UUID("9ca26b27-f7ee-4044-8b3c-e335dc5778dc")
DEADLINE_S = 10.0


def main(path: str) -> None:
    cases = json.loads(Path(path).read_text())
    build = cases["build"]
    metadata = (("authorization", f"Bearer {os.environ['STARDAG_TOKEN']}"),)
    with grpc.insecure_channel(os.environ["STARDAG_SERVER"]) as channel:
        events, builds = EventServiceStub(channel), BuildServiceStub(channel)
        with ThreadPoolExecutor(1) as other:
            watched = other.submit(watch, events, metadata, build["id"])
            acked = publish(events, metadata, build)
            statuses = watched.result()
        report = {
            "language": "python",
            "identity_ok": all(map(identity_is_right, cases["identity_vectors"])),
            "events_acked": acked,
            "watched_statuses": statuses,
            "listed_builds": listed(builds, metadata, build),
            "paged_task_ids": paged(builds, metadata, build["id"]),
            "error_reason": reason_for_an_unknown_build(builds, metadata),
        }
    print(json.dumps(report))


def identity_is_right(vector: dict[str, str]) -> bool:
    return str(uuid5(NAMESPACE, vector["identity_json"])) == vector["task_id"]


def events_of(build: dict[str, Any]) -> list[NewEvent]:
    """Return all that happens in the build, in order: the first event has number 1."""
    start = BuildStart(
        root_task_ids=[task["task_id"] for task in build["tasks"][-2:]],
        name=build["name"],
        description=build["description"],
        labels=build["labels"],
        client="stardag-clients-python/1",
    )
    events = [NewEvent(type=EventType.EVENT_TYPE_BUILD_STARTED, build_start=start)]
    for task in build["tasks"]:
        events += events_of_task(task)
    failed = any(task["outcome"] == "failed" for task in build["tasks"])
    end = EventType.EVENT_TYPE_BUILD_FAILED if failed else EventType.EVENT_TYPE_BUILD_COMPLETED
    events.append(NewEvent(type=end))
    for event in events:
        event.build_id = UUID(build["id"]).bytes
        event.event_time_us = time.time_ns() // 1000
        event.monotonic_us = time.monotonic_ns() // 1000
    return events


def events_of_task(task: dict[str, Any]) -> Iterator[NewEvent]:
    task_id = UUID(task["task_id"]).bytes
    fields = ("namespace", "name", "version", "identity_json", "params_json", "output_uri")
    definition = TaskDefinition(
        **{field: task[field] for field in fields}, dependency_ids=task["dependency_ids"]
    )
    pending = EventType.EVENT_TYPE_TASK_PENDING
    yield NewEvent(type=pending, task_id=task_id, definition=definition)
    yield NewEvent(type=EventType.EVENT_TYPE_TASK_STARTED, task_id=task_id, attempt=1)
    if task["outcome"] == "failed":
        failure, failed = TaskFailure(**task["failure"]), EventType.EVENT_TYPE_TASK_FAILED
        yield NewEvent(type=failed, task_id=task_id, attempt=1, failure=failure)
    else:
        yield NewEvent(type=EventType.EVENT_TYPE_TASK_COMPLETED, task_id=task_id, attempt=1)


class Connection:
    """One connection of a stream of events: requests go into a queue that gRPC empties."""

    def __init__(self, events: EventServiceStub, metadata: Any, stream_id: str) -> None:
        self._requests: SimpleQueue[PublishEventsRequest | None] = SimpleQueue()
        self._call: Any = events.PublishEvents(iter(self._requests.get, None), metadata=metadata)
        opening = OpenEventStream(stream_id=stream_id, client="stardag-clients-python/1")
        self._requests.put(PublishEventsRequest(open=opening))
        self.committed: int = self._next().opened.committed_sequence

    def send(self, first_sequence: int, events: Sequence[NewEvent]) -> None:
        self._requests.put(PublishEventsRequest(first_sequence=first_sequence, events=events))

    def break_off(self) -> None:
        self._call.cancel()

    def finish(self) -> int:
        """Say that this was all, and return the last number that is acknowledged."""
        self._requests.put(None)
        for response in self._call:
            if response.HasField("ack"):
                self.committed = response.ack.committed_sequence
        return self.committed

    def _next(self) -> PublishEventsResponse:
        return next(self._call)


def publish(events: EventServiceStub, metadata: Any, build: dict[str, Any]) -> int:
    """Publish the build over a connection that breaks half-way, and one that does not."""
    log = events_of(build)
    first = Connection(events, metadata, build["stream_id"])
    first.send(1, log[: len(log) // 2])
    first.break_off()
    second = Connection(events, metadata, build["stream_id"])
    # Whatever became of the first half: the server says how far it came.
    second.send(second.committed + 1, log[second.committed :])
    return second.finish()


def watch(events: EventServiceStub, metadata: Any, build_id: str) -> dict[str, str]:
    """Print what becomes of each task until the build has ended, and return it."""
    statuses: dict[str, str] = {}
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            request = WatchBuildRequest(build_id=build_id)
            for response in events.WatchBuild(request, metadata=metadata):
                for state in response.task_states:
                    status = TaskStatus.Name(state.status).removeprefix("TASK_STATUS_")
                    statuses[state.task_id] = status
                    print(state.name, status, flush=True)
        except grpc.RpcError as error:
            # Its first event is still on its way.
            if reason_of(error) != "BUILD_NOT_FOUND" or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return statuses


def listed(builds: BuildServiceStub, metadata: Any, build: dict[str, Any]) -> list[str]:
    conditions = [f"name = {json.dumps(build['name'])}"]
    conditions += [f"labels.{key} = {json.dumps(text)}" for key, text in build["labels"].items()]
    request = ListBuildsRequest(filter=" AND ".join(conditions))
    found = builds.ListBuilds(request, metadata=metadata, timeout=DEADLINE_S).builds
    return [one.build_id for one in found]


def paged(builds: BuildServiceStub, metadata: Any, build_id: str) -> list[str]:
    request = ListTaskStatesRequest(build_id=build_id, page_size=2)
    ids: list[str] = []
    while True:
        page = builds.ListTaskStates(request, metadata=metadata, timeout=DEADLINE_S)
        ids += [state.task_id for state in page.task_states]
        if not page.next_page_token:
            return ids
        request.page_token = page.next_page_token


def reason_for_an_unknown_build(builds: BuildServiceStub, metadata: Any) -> str:
    request = GetBuildRequest(build_id=str(uuid4()))
    try:
        builds.GetBuild(request, metadata=metadata, timeout=DEADLINE_S)
    except grpc.RpcError as error:
        return reason_of(error)
    return ""


def reason_of(error: grpc.RpcError) -> str:
    """Return the reason that the details of an error name, empty if they name none."""
    status = cast("Any", rpc_status.from_call(error))  # type: ignore[arg-type]
    info = ErrorInfo()
    details: list[Any] = list(status.details) if status else []
    return info.reason if any(detail.Unpack(info) for detail in details) else ""


if __name__ == "__main__":
    main(sys.argv[1])
