"""What a producer reports about a build, as it happens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import Any
from uuid import UUID

from stardag.v1.event_pb2 import BuildEnd, BuildStart, EventType, NewEvent
from stardag.v1.task_pb2 import TaskDefinition, TaskFailure

CLIENT_NAME = "stardag-example-python/1"

_DEFINED = ("namespace", "name", "version", "identity_json", "params_json", "output_uri")


def perform(
    build: dict[str, Any], report: Callable[[NewEvent], None], stop: SimpleQueue[str]
) -> None:
    """Report the events of a build, in the time that its tasks take.

    It stands in for a program that really runs them. Asked to stop, it ends the build early.
    """
    for event in _events(build, stop):
        event.build_id = UUID(build["id"]).bytes
        event.event_time_us = time.time_ns() // 1000
        event.monotonic_us = time.monotonic_ns() // 1000
        report(event)


def _events(build: dict[str, Any], stop: SimpleQueue[str]) -> Iterator[NewEvent]:
    yield NewEvent(type=EventType.EVENT_TYPE_BUILD_STARTED, build_start=_start(build))
    for task in build["tasks"]:
        yield _of_task(task, EventType.EVENT_TYPE_TASK_PENDING, definition=_definition(task))
    for task in build["tasks"]:
        yield _of_task(task, EventType.EVENT_TYPE_TASK_STARTED, attempt=1)
        try:
            reason = stop.get(timeout=task["duration_s"])
        except Empty:
            yield _finished(task)
        else:
            yield _of_task(task, EventType.EVENT_TYPE_TASK_CANCELLED, attempt=1)
            end = BuildEnd(reason=reason)
            yield NewEvent(type=EventType.EVENT_TYPE_BUILD_CANCELLED, build_end=end)
            return
    if any(task["outcome"] == "failed" for task in build["tasks"]):
        end = BuildEnd(reason="a task failed")
        yield NewEvent(type=EventType.EVENT_TYPE_BUILD_FAILED, build_end=end)
    else:
        yield NewEvent(type=EventType.EVENT_TYPE_BUILD_COMPLETED)


def _start(build: dict[str, Any]) -> BuildStart:
    upstream = {one for task in build["tasks"] for one in task["dependency_ids"]}
    ids = [task["task_id"] for task in build["tasks"]]
    return BuildStart(
        # The tasks that the build was asked for are those no other depends on.
        root_task_ids=[one for one in ids if one not in upstream],
        name=build["name"],
        description=build["description"],
        labels=build["labels"],
        client=CLIENT_NAME,
    )


def _definition(task: dict[str, Any]) -> TaskDefinition:
    """Return what a task is, which the first event that names it must say."""
    fields = {field: task[field] for field in _DEFINED}
    return TaskDefinition(**fields, dependency_ids=task["dependency_ids"])


def _finished(task: dict[str, Any]) -> NewEvent:
    if task["outcome"] == "completed":
        return _of_task(task, EventType.EVENT_TYPE_TASK_COMPLETED, attempt=1)
    failure = TaskFailure(**task["failure"])
    return _of_task(task, EventType.EVENT_TYPE_TASK_FAILED, attempt=1, failure=failure)


def _of_task(task: dict[str, Any], kind: EventType.ValueType, **fields: Any) -> NewEvent:
    return NewEvent(type=kind, task_id=UUID(task["task_id"]).bytes, **fields)
