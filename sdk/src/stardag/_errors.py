"""Every exception that Stardag raises on purpose, in one tree.

Messages say what was wrong, where, and what to do next. An exception raised by
a task's own code is never wrapped: it reaches the build's summary as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class StardagError(Exception):
    """Base of every exception that Stardag raises on purpose."""


class ConfigError(StardagError):
    """A setting has a value that can't be used, or one that is needed is missing."""


class LeaseError(StardagError):
    """A lease can't be asked for: its server can't be reached, or refuses."""


class TaskDefinitionError(StardagError, TypeError):
    """A task type is declared in a way that can't work; raised when the class is created."""


class TypeNameTakenError(TaskDefinitionError):
    """Two classes claim the same namespace and name, and so the same ids."""


class UnknownTypeError(StardagError, ValueError):
    """A namespace and name belong to no class that has been imported."""


class IdentityError(StardagError, ValueError):
    """A parameter's value has no canonical form, so the task has no id.

    Raised when the id is first asked for; names the field's path.
    """


class VersionMismatchError(StardagError):
    """A task's `version` is not the one its class's code implements."""


class SerializerError(StardagError, TypeError):
    """No serializer fits a type, or a value can't be serialized by the one chosen."""


class TargetNotFoundError(StardagError, FileNotFoundError):
    """A target was read before anything was written to it."""


class CycleError(StardagError):
    """Tasks depend on each other in a circle, so none of them can run first.

    `path` has the tasks on the circle, as text; the first is repeated at the end.
    """

    def __init__(self, path: Sequence[str]) -> None:
        """Make the error for the circle `path`."""
        self.path = tuple(path)
        super().__init__("tasks depend on each other in a circle: " + " -> ".join(self.path))


class OutputMissingError(StardagError):
    """A task's `run` returned, but the output it promised does not exist."""


class TaskTimeoutError(StardagError, TimeoutError):
    """An attempt ran for longer than its task's `timeout`."""


class TaskCancelledError(StardagError):
    """The build in which a task runs was cancelled; raised by `checkpoint`."""


class WorkerDiedError(StardagError):
    """The process that ran a task ended before the task did."""


class UpstreamFailedError(StardagError):
    """A generator task was not resumed because something it yielded did not complete."""


class BuildFailedError(StardagError):
    """A build ended without making all it was asked for; see `BuildSummary.raise_for_status`."""
