"""Tasks as tracking sees them, and a builder that does nothing but say so."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import ClassVar

from stardag.build.observer import BuildInfo, BuildObserver

NAMESPACE = uuid.UUID("9ca26b27-f7ee-4044-8b3c-e335dc5778dc")


@dataclass(frozen=True)
class Step:
    """A task with one parameter, whose id is what the contract says it is."""

    number: int = 0
    namespace: ClassVar[str] = "demo"
    version: str = ""
    params: dict[str, object] = field(default_factory=dict[str, object], hash=False)

    @property
    def id(self) -> uuid.UUID:
        return uuid.uuid5(NAMESPACE, self.identity_json())

    @classmethod
    def get_namespace(cls) -> str:
        return cls.namespace

    @classmethod
    def get_name(cls) -> str:
        return "Step"

    def identity_json(self) -> str:
        identity = {"__name": "Step", "__namespace": "demo", "number": self.number}
        body = identity | self.params | {"version": self.version}
        return json.dumps(body, separators=(",", ":"), sort_keys=True)

    def identity_and_params_json(self) -> tuple[str, str]:
        return self.identity_json(), self.identity_json()

    def output_uri(self) -> str | None:
        return f"file:///out/{self.number}.json"


def build_id() -> uuid.UUID:
    return uuid.uuid4()


def run(observer: BuildObserver, steps: int, build: uuid.UUID | None = None) -> uuid.UUID:
    """Report a build of `steps` steps, each after the one before."""
    tasks = [Step(number) for number in range(steps)]
    info = BuildInfo(id=build or build_id(), roots=tasks[-1:])
    observer.build_started(info)
    for number, task in enumerate(tasks):
        observer.task_pending(task, tasks[max(0, number - 1) : number])
        observer.task_started(task, 1)
        observer.task_completed(task, 1)
    observer.build_ended("completed", "")
    return info.id


def types_of_run(steps: int) -> list[str]:
    """Return the events of `run`, in order."""
    step = ["TASK_PENDING", "TASK_STARTED", "TASK_COMPLETED"]
    return ["BUILD_STARTED", *(step * steps), "BUILD_COMPLETED"]
