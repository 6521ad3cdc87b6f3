"""A producer for the tests: it writes events as the SDK would."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from stardag.v1 import event_pb2 as pb
from stardag.v1.event_service_pb2 import OpenEventStream
from stardag.v1.task_pb2 import TaskDefinition
from stardag_server.domain.event_check import task_id_of

START_US = 1_700_000_000_000_000


def definition(
    name: str, dependencies: Sequence[UUID] = (), version: str = "", **more: Any
) -> TaskDefinition:
    """Return the definition of a task that has only a name; its id is `task_id(name)`."""
    return TaskDefinition(
        name=name,
        version=version,
        identity_json=identity_json(name),
        dependency_ids=[str(task) for task in dependencies],
        **more,
    )


def identity_json(name: str) -> str:
    """Return the text that the id of a task with this name is hashed from."""
    return json.dumps({"__name": name, "__namespace": ""}, separators=(",", ":"))


def task_id(name: str) -> UUID:
    """Return the id of a task with this name."""
    return UUID(bytes=task_id_of(identity_json(name)))


@dataclass
class Producer:
    """Makes the events of one build on one stream; its clock ticks 1,000 us an event."""

    build: UUID = field(default_factory=uuid4)
    stream: UUID = field(default_factory=uuid4)
    ticks: int = 0

    @property
    def build_id(self) -> str:
        """The build's id as text."""
        return str(self.build)

    @property
    def open(self) -> OpenEventStream:
        """The opening of the stream."""
        return OpenEventStream(stream_id=str(self.stream), client="test/1", host="h", pid=7)

    def event(self, type: int, task: str = "", attempt: int = 0, **detail: Any) -> pb.NewEvent:
        """Return the next event; `task` is a task's name."""
        self.ticks += 1
        return pb.NewEvent(
            build_id=self.build.bytes,
            task_id=task_id(task).bytes if task else b"",
            type=pb.EventType.ValueType(type),
            attempt=attempt,
            event_time_us=START_US + self.ticks * 1_000,
            monotonic_us=self.ticks * 1_000,
            **detail,
        )

    def started(self, **start: Any) -> pb.NewEvent:
        """Return BUILD_STARTED."""
        return self.event(pb.EVENT_TYPE_BUILD_STARTED, build_start=pb.BuildStart(**start))

    def pending(self, task: str, dependencies: Sequence[str] = (), **more: Any) -> pb.NewEvent:
        """Return TASK_PENDING with the task's definition."""
        upstreams = [task_id(name) for name in dependencies]
        return self.event(
            pb.EVENT_TYPE_TASK_PENDING, task, definition=definition(task, upstreams, **more)
        )

    def run(self, task: str, attempt: int = 1) -> list[pb.NewEvent]:
        """Return a task's life: defined, started, completed."""
        return [
            self.pending(task),
            self.event(pb.EVENT_TYPE_TASK_STARTED, task, attempt),
            self.event(pb.EVENT_TYPE_TASK_COMPLETED, task, attempt),
        ]

    def completed(self) -> pb.NewEvent:
        """Return BUILD_COMPLETED."""
        return self.event(pb.EVENT_TYPE_BUILD_COMPLETED)
