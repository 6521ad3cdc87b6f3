"""Reading what the server knows: a build live, filters, pages, errors."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import grpc
from connection import Metadata
from errors import DEFAULT_DELAY_S, reason, retry_delay_s

from stardag.v1.build_pb2 import Build
from stardag.v1.build_service_pb2 import GetBuildRequest, ListBuildsRequest, ListTaskStatesRequest
from stardag.v1.build_service_pb2_grpc import BuildServiceStub
from stardag.v1.event_service_pb2 import WATCH_MODE_STATE, WatchBuildRequest, WatchBuildResponse
from stardag.v1.event_service_pb2_grpc import EventServiceStub
from stardag.v1.task_pb2 import TaskState

DEADLINE_S = 10.0


def watch(
    events: EventServiceStub, metadata: Metadata, build_id: str
) -> Iterator[WatchBuildResponse]:
    """Yield the state of a build and then its changes, until it has ended.

    Waits for a build that is not known yet, as its first events may be on their way; after a
    failure that is worth it, goes on where it was. Raises `grpc.RpcError`.
    """
    request = WatchBuildRequest(build_id=build_id, mode=WATCH_MODE_STATE)
    while True:
        try:
            for response in events.WatchBuild(request, metadata=metadata):
                request.cursor = response.cursor
                yield response
        except grpc.RpcError as error:
            unknown = reason(error) == "BUILD_NOT_FOUND"
            delay = DEFAULT_DELAY_S if unknown else retry_delay_s(error)
            if delay is None:
                raise
            time.sleep(delay)
        else:
            return


def filter_for(build: dict[str, Any]) -> str:
    """Return the filter for builds with this one's name and labels; texts are as in JSON."""
    conditions = [f"name = {json.dumps(build['name'])}"]
    for key, value in build["labels"].items():
        conditions.append(f"labels.{json.dumps(key)} = {json.dumps(value)}")
    return " AND ".join(conditions)


def list_builds(builds: BuildServiceStub, metadata: Metadata, matching: str) -> Iterator[Build]:
    """Yield the builds that match a filter, those heard of last first."""
    request = ListBuildsRequest(filter=matching)
    while True:
        page = builds.ListBuilds(request, metadata=metadata, timeout=DEADLINE_S)
        yield from page.builds
        # A page may be empty: only an empty token means the end.
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def list_task_states(
    builds: BuildServiceStub, metadata: Metadata, build_id: str, page_size: int
) -> Iterator[TaskState]:
    """Yield the state of each task of a build, in the order in which they entered it."""
    request = ListTaskStatesRequest(build_id=build_id, page_size=page_size)
    while True:
        page = builds.ListTaskStates(request, metadata=metadata, timeout=DEADLINE_S)
        yield from page.task_states
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def reason_for_an_unknown_build(builds: BuildServiceStub, metadata: Metadata) -> str:
    """Ask for a build that there is not, and return the reason of the refusal."""
    try:
        request = GetBuildRequest(build_id=str(uuid4()))
        builds.GetBuild(request, metadata=metadata, timeout=DEADLINE_S)
    except grpc.RpcError as error:
        if found := reason(error):
            return found
        raise
    return ""
