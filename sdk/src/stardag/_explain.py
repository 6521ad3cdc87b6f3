"""Why an id is what it is, and why two ids differ."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from stardag._identified import nested
from stardag._identity import referred
from stardag._nesting import children
from stardag._registry import NAME_KEY, NAMESPACE_KEY
from stardag._task import BaseTask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a task's id is made of."""

    id: UUID
    identity_json: str
    """The exact text that is hashed; empty if it is not known, as of some aliases."""
    ingredients: dict[str, Any]
    """The same as a JSON object: namespace, name, version and significant fields."""
    inputs: dict[str, BaseTask]
    """The tasks among the ingredients, by id: what each `{"id": ...}` stands for."""

    def __str__(self) -> str:
        text = self.identity_json or "(not known)"
        lines = [f"{self.id} is the UUIDv5 of", f"  {text}"]
        lines.extend(f"  {key} is {task!r}" for key, task in self.inputs.items())
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Difference:
    """One ingredient in which two tasks differ."""

    path: str
    """Where it is, from the outer tasks down: `model.depth`, `inputs[0].limit`."""
    left: Any
    """Its value in the first task; MISSING if it has none."""
    right: Any
    """Its value in the second task; MISSING if it has none."""

    def __str__(self) -> str:
        return f"{self.path}: {self.left!r} -> {self.right!r}"


class _Missing:
    def __repr__(self) -> str:
        return "missing"


MISSING: Any = _Missing()


def explain(task: BaseTask) -> Explanation:
    """Return what a task's id is made of. Raises `IdentityError` if it has none."""
    text = task.identity_json()
    inputs = {str(t.id): t for t in cast("Iterator[BaseTask]", nested(task))}
    return Explanation(task.id, text, json.loads(text) if text else {}, inputs)


def differences(left: BaseTask, right: BaseTask) -> list[Difference]:
    """Return every ingredient in which two tasks differ, down through the tasks they need.

    Tasks of two types differ in their type alone, and so do an alias of which nothing is known
    and any other task as a whole. Of two inputs that differ, the
    ingredients are given and not the ids; a pair that occurs many times is looked into once.
    """
    found: list[Difference] = []
    seen: set[tuple[str, str]] = set()
    pending: list[tuple[str, BaseTask, BaseTask]] = [("", left, right)]
    while pending:
        path, a, b = pending.pop()
        pair = (str(a.id), str(b.id))
        if a == b or pair in seen:
            continue
        seen.add(pair)
        ours, theirs = explain(a), explain(b)
        if not (ours.ingredients and theirs.ingredients):
            found.append(Difference(path or "task", a, b))
            continue
        if _type_of(ours) != _type_of(theirs):
            found.append(Difference(path or "type", _type_of(ours), _type_of(theirs)))
            continue
        for place, x, y in unequal(ours.ingredients, theirs.ingredients, path):
            task_x, task_y = _as_task(x, ours), _as_task(y, theirs)
            if task_x is not None and task_y is not None:
                pending.append((place, task_x, task_y))
            else:
                found.append(Difference(place, task_x or x, task_y or y))
    return sorted(found, key=lambda difference: difference.path)


def _type_of(explanation: Explanation) -> str:
    namespace, name = (explanation.ingredients[key] for key in (NAMESPACE_KEY, NAME_KEY))
    return f"{namespace}.{name}" if namespace else name


def _as_task(value: Any, explanation: Explanation) -> BaseTask | None:
    key = referred(value)
    return explanation.inputs.get(key) if key is not None else None


def unequal(left: Any, right: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Return the innermost places at which two JSON values differ."""
    if left == right and type(left) is type(right):
        return
    ours, theirs = children(left), children(right)
    if type(left) is not type(right) or ours is None or theirs is None or referred(left):
        yield path, left, right
        return
    is_list = isinstance(left, list)
    left_items, right_items = dict(ours), dict(theirs)
    for key in {**left_items, **right_items}:
        here = f"{path}[{key}]" if is_list else f"{path}.{key}".lstrip(".")
        yield from unequal(left_items.get(key, MISSING), right_items.get(key, MISSING), here)
