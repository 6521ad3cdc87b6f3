"""`name=value` on the command line, as the fields of a task type read it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from stardag._errors import ConfigError
from stardag._readable import did_you_mean
from stardag._task import BaseTask

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

TaskT = TypeVar("TaskT", bound=BaseTask)


def make_task(task_type: type[TaskT], texts: Mapping[str, str]) -> TaskT:
    """Return the task of a type with the parameters that `texts` say.

    Each is read by its own field: as text, which numbers, dates and the like are read from,
    and as JSON if the field takes no such text. Raises `ConfigError` naming each field at fault.
    """
    _refuse_unknown(task_type, texts)
    try:
        return task_type(**texts)
    except ValidationError as error:
        refused = {str(problem["loc"][0]) for problem in error.errors() if problem["loc"]}
        values = {name: _json(t) if name in refused else t for name, t in texts.items()}
        if values == texts:
            raise _wrong(task_type, texts, error) from None
    try:
        return task_type(**values)
    except ValidationError as error:
        raise _wrong(task_type, texts, error) from None


def _refuse_unknown(task_type: type[BaseTask], texts: Mapping[str, str]) -> None:
    known = list(task_type.model_fields)
    for name in texts:
        if name not in known:
            hint = did_you_mean(name, known, otherwise=f"it has {', '.join(known)}")
            raise ConfigError(f"{task_type.get_name()} has no parameter {name!r}; {hint}")


def _json(text: str) -> Any:
    """Return the JSON value that a text is; the text itself if it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _wrong(
    task_type: type[BaseTask], texts: Mapping[str, str], error: ValidationError
) -> ConfigError:
    problems: dict[str, str] = {}  # by field: a union has a problem for each of its members
    for problem in error.errors():
        problems.setdefault(*_described(problem, texts))
    said = "; ".join(f"{name}: {what}" if name else what for name, what in problems.items())
    return ConfigError(f"{task_type.get_name()} can't be made: {said}")


def _described(problem: ErrorDetails, texts: Mapping[str, str]) -> tuple[str, str]:
    """Return the field that a problem is about, and what is wrong with it."""
    name = str(problem["loc"][0]) if problem["loc"] else ""
    if problem["type"] == "missing" and len(problem["loc"]) == 1:
        return name, f"it is required; add --param {name}=..."
    what = problem["msg"].removeprefix("Value error, ")
    return name, f"{what}, not {texts[name]!r}" if name in texts else what
