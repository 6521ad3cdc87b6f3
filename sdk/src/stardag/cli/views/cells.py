"""What stands in a cell: statuses, names, times and ids as people read them.

Texts from elsewhere can't control the terminal, nor are they taken for Rich's markup.
"""

from __future__ import annotations

import json
import time
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol, cast

from rich.text import Text

from stardag import _colours, _readable
from stardag._identity import referred
from stardag.v1.build_pb2 import Build, BuildStatus
from stardag.v1.task_pb2 import TaskState, TaskStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from google.protobuf.internal.enum_type_wrapper import _EnumTypeWrapper as EnumTypeWrapper
    from google.protobuf.timestamp_pb2 import Timestamp

    from stardag.v1.build_pb2 import TaskStatusCount
    from stardag.v1.task_pb2 import Task, TaskFailure

_RUNNING: dict[type, int] = {
    Build: BuildStatus.BUILD_STATUS_RUNNING,
    TaskState: TaskStatus.TASK_STATUS_RUNNING,
}
_SHORTEST_ID = 13
"""Characters of an id that are shown at least: all of the time in that of a build."""
_FEW = 3
_URGENCY = ("FAILED", "CANCELLED", "BLOCKED", "RUNNING", "SUSPENDED", "PENDING", "SKIPPED")
"""Elements of a list that are shown."""


class Typed(Protocol):
    """What has the name of a task type."""

    @property
    def namespace(self) -> str:
        """Namespace; empty for none."""
        ...

    @property
    def name(self) -> str:
        """Name within the namespace; empty while the type is not known."""
        ...


def word(enum: EnumTypeWrapper[Any], number: int) -> str:
    """Return a value of an enum without the enum's prefix; one of a newer server as its number."""
    value = enum.DESCRIPTOR.values_by_number.get(number)
    prefix = enum.DESCRIPTOR.values[0].name.removesuffix("UNSPECIFIED")
    return value.name.removeprefix(prefix) if value is not None else str(number)


def build_status(build: Build) -> str:
    """Return the status as a word."""
    return word(BuildStatus, build.status)


def task_status(state: TaskState) -> str:
    """Return the status as a word."""
    return word(TaskStatus, state.status)


def coloured(status: str) -> Text:
    """Return a status in its colour."""
    return Text(status, style=colour(status))


def colour(status: str) -> str:
    """Return the style in which a status is shown."""
    return _colours.OF_STATUS.get(status, "")


def urgency(status: str) -> int:
    """Return how soon among its like what has a status is to be seen: the least first."""
    return _URGENCY.index(status) if status in _URGENCY else len(_URGENCY)


def line(text: str, style: str = "") -> Text:
    """Return a text from elsewhere as one line."""
    return Text(_readable.one_line(text), style=style)


def cut(text: str) -> Text:
    """Return a text from elsewhere as one line that ends where there is no more room."""
    return Text(_readable.one_line(text), no_wrap=True, overflow="ellipsis")


def block(text: str, style: str = "") -> Text:
    """Return a text from elsewhere with its lines."""
    return Text(_readable.printable(text), style=style)


def type_name(of: Typed) -> str:
    """Return the task type's namespace and name, as one line."""
    name = _readable.one_line(of.name) or "(not known)"
    return f"{_readable.one_line(of.namespace)}.{name}" if of.namespace else name


def counts(found: Iterable[TaskStatusCount]) -> str:
    """Return numbers of tasks by status, as `1 failed, 3 completed`: the most urgent first."""
    named = sorted(((each.count, word(TaskStatus, each.status)) for each in found), key=_by_urgency)
    return ", ".join(f"{count} {status.lower()}" for count, status in named)


def _by_urgency(counted: tuple[int, str]) -> int:
    return urgency(counted[1])


def parameters(task: Task) -> str:
    """Return a task's parameters, as `lr=0.1 model=5b69e7b6`; tasks by the beginning of their id.

    What can't be read as a JSON object is shown as it is.
    """
    try:
        values = json.loads(task.params_json or "{}")
        given = {name: value for name, value in values.items() if not name.startswith("__")}
    except (ValueError, AttributeError):
        return _readable.one_line(task.params_json)
    shown = (f"{name}={_value(value)}" for name, value in given.items() if value != "")
    return _readable.one_line(" ".join(shown))


def _value(value: Any) -> str:
    if (task_id := referred(value)) is not None:
        return task_id[:_SHORTEST_ID]
    if isinstance(value, list):
        items = cast("list[Any]", value)
        few = ",".join(map(_value, items[:_FEW]))
        return f"[{few}{',..' if len(items) > _FEW else ''}]"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def plural(count: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def reason(failure: TaskFailure) -> str:
    """Return why an attempt failed, as one line."""
    parts = (failure.kind, failure.message)
    return _readable.one_line(": ".join(part for part in parts if part))


def moment(timestamp: Timestamp, *, short: bool = False) -> str:
    """Return a time in this machine's zone; empty for none, and as it came if out of range.

    A short one has no seconds, and either the time of the day or, of another year, the year.
    """
    if not timestamp.seconds:
        return ""
    try:
        when = datetime.fromtimestamp(timestamp.seconds)
    except (ValueError, OverflowError, OSError):
        return timestamp.ToJsonString()
    if not short:
        return when.strftime("%Y-%m-%d %H:%M:%S")
    return when.strftime("%m-%d %H:%M" if when.year == datetime.now().year else "%Y-%m-%d")


def duration(microseconds: int) -> str:
    """Return a duration in the unit that suits it; empty for none."""
    return _readable.duration(microseconds / 1e6) if microseconds else ""


def took(of: Build | TaskState) -> str:
    """Return how long a build or a task took; of one that runs, how long it has so far.

    That is by this machine's clock, and no better than it agrees with the producer's.
    """
    runs = of.status == _RUNNING[type(of)] and of.start_time.seconds
    if of.duration_us or not runs:
        return duration(of.duration_us)
    return _readable.elapsed(max(0.0, time.time() - of.start_time.seconds))


def course(state: TaskState) -> str:
    """Return how long a task took, of one that runs how far it is, and which attempt that was.

    As `7 s, 40%, attempt 2`; nothing is said of a first attempt.
    """
    runs = state.status == TaskStatus.TASK_STATUS_RUNNING and state.HasField("progress")
    parts = [took(state), f"{state.progress:.0%}" if runs else ""]
    parts += [f"attempt {state.attempt}"] * (state.attempt > 1)
    return ", ".join(filter(None, parts))


def id_lengths(ids: Sequence[str], *, wide: bool) -> int:
    """Return how much of each id to show: all where there is room, else what tells them apart."""
    if wide or not ids:
        return 36
    alike = sorted({*ids})
    pairs = pairwise(alike)
    common = max((common_length(a, b) for a, b in pairs), default=0)
    return max(_SHORTEST_ID, common + 1)


def common_length(a: str, b: str) -> int:
    """Return how many characters two texts begin with alike."""
    shorter = min(len(a), len(b))
    return next((n for n in range(shorter) if a[n] != b[n]), shorter)
