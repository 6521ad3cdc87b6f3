"""The fields of each list that can be filtered, and what they can be compared with."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from stardag.v1.asset_pb2 import AssetKind
from stardag.v1.build_pb2 import BuildStatus
from stardag.v1.event_pb2 import EventRejectionReason, EventType
from stardag.v1.task_pb2 import TaskStatus
from stardag_server.domain.patterns import portable

Operand = str | int | Decimal | bool | UUID | None
"""What a field is compared with: times and durations in microseconds, enums by number."""
Step = str | int
"""A step into a value: to the member of an object, or to the element of a list."""

_ORDERED = ("=", "<", "<=", ">", ">=")
_TEXTUAL = (*_ORDERED, ":", "~")
_MAX_EXPONENT = 300
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


class OperatorError(ValueError):
    """The field is not compared in this way."""


class PathError(ValueError):
    """The field has no parts, or asks for one."""


@dataclass(frozen=True, slots=True)
class Word:
    """A value as it is written: its kind is TEXT, NUMBER or NAME."""

    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class Field:
    """A field of rows. `read` returns the operand of a written value, or raises ValueError."""

    operators: tuple[str, ...]
    expected: str
    """What it is compared with, for people."""
    read: Callable[[Word], Operand]
    parts: bool = False
    """Whether it has parts, to which a path leads."""
    names: tuple[str, ...] = ()
    """All its values, if they are names."""

    def operand(self, name: str, path: tuple[Step, ...], operator: str, word: Word) -> Operand:
        """Return what the field is compared with.

        Raises ValueError if the value can't be the field's; OperatorError, PathError.
        """
        if path and not self.parts:
            raise PathError(f"{name} has no parts")
        if self.parts and not path:
            if operator != ":":
                raise OperatorError(f"{name} is only asked for its keys, by `:`")
            return _text(word)
        if operator not in self.operators:
            raise OperatorError(f"{name} is compared with {' '.join(self.operators)} and !=")
        value = self.read(word)
        if operator == "~":
            if not isinstance(value, str):
                raise ValueError("a regular expression is a quoted text")
            return portable(value)
        if operator not in ("=", ":") and (value is None or isinstance(value, bool)):
            raise OperatorError("true, false and null are compared with = and != only")
        return value


def _text(word: Word) -> str:
    if word.kind == "NUMBER":
        raise ValueError("this is a text: put it in quotes")
    return word.text


def _number(word: Word) -> Decimal:
    if word.kind != "NUMBER":
        raise ValueError("this is a number")
    number = Decimal(word.text)
    if abs(number.adjusted()) > _MAX_EXPONENT:
        raise ValueError(f"numbers go up to 1e{_MAX_EXPONENT}")
    return number


def _seconds(word: Word) -> Decimal:
    return _number(word) * 1_000_000


def _boolean(word: Word) -> bool:
    if word.kind != "NAME" or word.text not in ("true", "false"):
        raise ValueError("this is true or false")
    return word.text == "true"


def _id(word: Word) -> UUID:
    try:
        return UUID(word.text)
    except ValueError:
        raise ValueError("this is a quoted UUID") from None


def _time(word: Word) -> int:
    if word.kind != "TEXT" or not _TIME.fullmatch(word.text):
        raise ValueError("this is a quoted RFC 3339 time with a zone")
    # Python reads six digits of a fraction, and no more.
    text = re.sub(r"(\.\d{6})\d+", r"\1", word.text.upper())
    try:
        return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        raise ValueError("there is no such time") from None


def _json(word: Word) -> Operand:
    """Return what a parameter is compared with: bare names are those of JSON, or texts."""
    if word.kind == "NUMBER":
        return _number(word)
    if word.kind == "NAME" and word.text in _CONSTANTS:
        return _CONSTANTS[word.text]
    return word.text


_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}


def _enum(numbers: Mapping[str, int], prefix: str) -> Field:
    known = {name.removeprefix(prefix): number for name, number in numbers.items() if number}

    def read(word: Word) -> int:
        if word.text not in known:
            raise ValueError(f"there is no value {word.text}")
        return known[word.text]

    return Field(("=",), ", ".join(known), read, names=tuple(known))


TEXT = Field(_TEXTUAL, "a text", _text)
NUMBER = Field(_ORDERED, "a number", _number)
SECONDS = Field(_ORDERED, "a number of seconds", _seconds)
TIME = Field(_ORDERED, "a quoted RFC 3339 time with a zone", _time)
BOOLEAN = Field(("=",), "true or false", _boolean, names=("false", "true"))
ID = Field(("=",), "a quoted UUID", _id)
ROW_ID = Field(_ORDERED, "a quoted UUID", _id)
"""The id of the row itself: a range of them is all that begin alike."""
LABELS = Field(_TEXTUAL, "a text", _text, parts=True)
PARAMS = Field(_TEXTUAL, "a value of JSON", _json, parts=True)

ASSET_FIELDS: Mapping[str, Field] = {
    "task_id": ID,
    "build_id": ID,
    "name": TEXT,
    "kind": _enum(dict(AssetKind.items()), "ASSET_KIND_"),
    "media_type": TEXT,
    "size_bytes": NUMBER,
    "create_time": TIME,
}

BUILD_FIELDS: Mapping[str, Field] = {
    "build_id": ROW_ID,
    "status": _enum(dict(BuildStatus.items()), "BUILD_STATUS_"),
    "name": TEXT,
    "description": TEXT,
    "client": TEXT,
    "host": TEXT,
    "runtime": TEXT,
    "command": TEXT,
    "reason": TEXT,
    "start_time": TIME,
    "end_time": TIME,
    "update_time": TIME,
    "duration": SECONDS,
    "labels": LABELS,
    "source.commit": TEXT,
    "source.ref": TEXT,
    "source.dirty": BOOLEAN,
    "root_task_id": ID,
    "task_id": ID,
}

EVENT_FIELDS: Mapping[str, Field] = {
    "task_id": ID,
    "type": _enum(dict(EventType.items()), "EVENT_TYPE_"),
    "attempt": NUMBER,
    "position": NUMBER,
    "event_time": TIME,
    "commit_time": TIME,
    "stream_id": ID,
    "rejection": _enum(dict(EventRejectionReason.items()), "EVENT_REJECTION_REASON_"),
    "namespace": TEXT,
    "name": TEXT,
}

WATCHED_EVENT_FIELDS: Mapping[str, Field] = {**EVENT_FIELDS, "build_id": ID}

_STATE_FIELDS: Mapping[str, Field] = {
    "status": _enum(dict(TaskStatus.items()), "TASK_STATUS_"),
    "attempt": NUMBER,
    "start_time": TIME,
    "end_time": TIME,
    "duration": SECONDS,
}

FAILURE_FIELDS: Mapping[str, Field] = {"failure.kind": TEXT, "failure.message": TEXT}

STATE_FIELDS: Mapping[str, Field] = {
    "task_id": ROW_ID,
    "namespace": TEXT,
    "name": TEXT,
    "output_uri": TEXT,
    **_STATE_FIELDS,
    **FAILURE_FIELDS,
}

TASK_FIELDS: Mapping[str, Field] = {
    "task_id": ROW_ID,
    "namespace": TEXT,
    "name": TEXT,
    "version": TEXT,
    "output_uri": TEXT,
    "create_time": TIME,
    "params": PARAMS,
    "build_id": ID,
    **_STATE_FIELDS,
}
