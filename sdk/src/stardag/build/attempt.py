"""One attempt at one task: run it until it ends or yields."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from stardag._errors import OutputMissingError
from stardag._task import BaseTask, TaskStruct, flatten_task_struct

if TYPE_CHECKING:
    from collections.abc import Sequence

TaskGenerator: TypeAlias = Generator[TaskStruct, Any, Any]


@dataclass(frozen=True, slots=True)
class Completed:
    """The task ran, and its output is there."""


@dataclass(frozen=True, slots=True)
class Suspended:
    """The task yielded, and is to be resumed when what it yielded is complete."""

    generator: TaskGenerator
    waits_for: Sequence[BaseTask]


@dataclass(frozen=True, slots=True)
class Failed:
    """The task raised."""

    error: BaseException


Outcome: TypeAlias = Completed | Suspended | Failed

_COMPLETED = Completed()


def advance(task: BaseTask, generator: TaskGenerator | None) -> Outcome:
    """Run a task from its beginning, or resume its generator, and return how that ended.

    Raises KeyboardInterrupt only, as that is for the whole build.
    """
    try:
        if generator is None:
            task.check_version()
            result: object = task.run()
            if isinstance(result, Generator):
                generator = cast("TaskGenerator", result)
        if generator is not None:
            try:
                yielded = next(generator)
            except StopIteration:
                pass
            else:
                return Suspended(generator, flatten_task_struct(yielded))
        if not task.complete():
            place = task.output_uri()
            raise OutputMissingError(
                f"{task!r} ran without an error, but is not complete"
                + (f": {place} does not exist" if place else "")
            )
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever else the task's code raises is its outcome
        return Failed(error)
    return _COMPLETED
