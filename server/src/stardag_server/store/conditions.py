"""From the condition of a filter to SQL with bound parameters."""

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa

from stardag_server.domain import limits
from stardag_server.domain.filter_fields import Operand, Step
from stardag_server.domain.filters import All, Condition, Not
from stardag_server.domain.filters import Any as Either
from stardag_server.store.failures import Failure, postgres_table, sqlite_table
from stardag_server.store.json_conditions import (
    JsonCondition,
    postgres_json,
    postgres_json_keys,
    sqlite_json,
    sqlite_json_keys,
)
from stardag_server.store.schema import Asset, Build, BuildTask, Event, Stream, Task, plain

Compare = Callable[[tuple[Step, ...], str, Operand], sa.ColumnElement[bool]]
"""Compares what is at a path within a field, by an operator, with an operand."""


def compiled(condition: Condition, fields: Mapping[str, Compare]) -> sa.ColumnElement[bool]:
    """Return the condition in SQL; it is NULL or false where the filter is false."""
    if isinstance(condition, All):
        return sa.and_(*(compiled(each, fields) for each in condition.conditions))
    if isinstance(condition, Either):
        return sa.or_(*(compiled(each, fields) for each in condition.conditions))
    if isinstance(condition, Not):
        # Filters have two truth values. Elsewhere NULL serves as false, and leaves indexes usable.
        return sa.not_(sa.func.coalesce(compiled(condition.condition, fields), sa.false()))
    return fields[condition.field](condition.path, condition.operator, condition.value)


class FieldColumns:
    """How the fields of each list are compared, in one database."""

    def __init__(self, postgres: bool) -> None:
        self._postgres = postgres
        self._json: JsonCondition = postgres_json if postgres else sqlite_json
        self._json_keys = postgres_json_keys if postgres else sqlite_json_keys

    def builds(self, workspace: int) -> dict[str, Compare]:
        """Fields of builds, as `domain/filter_fields.py` names them."""

        def has_task(_path: tuple[Step, ...], _operator: str, task: Operand) -> Any:
            keys = sa.select(BuildTask.build_id).join(Task, Task.id == BuildTask.task_id)
            return Build.id.in_(keys.where(Task.workspace_id == workspace, Task.uuid == task))

        def has_root(_path: tuple[Step, ...], _operator: str, task: Operand) -> Any:
            return self._json(cast(Any, Build.root_task_ids), (), ":", str(task))

        return {
            "build_id": _ordered(Build.uuid),
            "status": _equal(Build.status),
            "name": self._text(Build.name),
            "description": self._text(Build.description),
            "client": self._text(Build.client),
            "host": self._text(Build.host),
            "runtime": self._text(Build.runtime),
            "command": self._text(Build.command),
            "reason": self._text(Build.reason),
            "start_time": _known(Build.start_time),
            "end_time": _known(Build.end_time),
            "update_time": _known(Build.update_time),
            "duration": _known(Build.duration),
            "labels": self._in_json(Build.labels),
            "source.commit": self._in_json(Build.source, "commit"),
            "source.ref": self._in_json(Build.source, "ref"),
            "source.dirty": self._in_json(Build.source, "dirty"),
            "root_task_id": has_root,
            "task_id": has_task,
        }

    def events(self) -> dict[str, Compare]:
        """Fields of events, of one build or, with `build_id`, of several."""
        return {
            "task_id": _equal(Task.uuid),
            "type": _equal(Event.type),
            "attempt": _number(Event.attempt),
            "position": _number(Event.position),
            "event_time": _known(Event.event_time),
            "commit_time": _known(Event.commit_time),
            "stream_id": _equal(Stream.uuid),
            "rejection": _equal(Event.rejection),
            "namespace": self._text(Task.namespace),
            "name": self._text(Task.name),
            "build_id": _equal(Build.uuid),
        }

    def states(
        self, state: type[BuildTask], failures: Sequence[Failure] = ()
    ) -> dict[str, Compare]:
        """Fields of the states of a build's tasks, which has these failures."""
        failed = postgres_table(failures) if self._postgres else sqlite_table(failures)

        def of_failure(column: sa.ColumnElement[str]) -> Compare:
            compare = self._text(column)

            def has_failed(path: tuple[Step, ...], operator: str, operand: Operand) -> Any:
                found = sa.select(failed.c.ordinal).where(compare(path, operator, operand))
                return state.ordinal.in_(found)

            return has_failed

        output: Any = sa.func.coalesce(state.output_uri, Task.output_uri)
        return {
            **self._state(state),
            "task_id": _ordered(Task.uuid),
            "namespace": self._text(Task.namespace),
            "name": self._text(Task.name),
            "output_uri": self._text(output),
            "failure.kind": of_failure(failed.c.kind),
            "failure.message": of_failure(failed.c.message),
        }

    def tasks(self, workspace: int, state: type[BuildTask]) -> dict[str, Compare]:
        """Fields of tasks, and of the latest state of each."""

        def in_build(_path: tuple[Step, ...], _operator: str, build: Operand) -> Any:
            key = sa.select(Build.id).where(Build.workspace_id == workspace, Build.uuid == build)
            return state.build_id == key.scalar_subquery()

        return {
            **self._state(state),
            "task_id": _ordered(Task.uuid),
            "namespace": self._text(Task.namespace),
            "name": self._text(Task.name),
            "version": self._text(Task.version),
            "output_uri": self._text(Task.output_uri),
            "create_time": _known(Task.create_time),
            "params": self._in_json(Task.params),
            "build_id": in_build,
        }

    def assets(self) -> dict[str, Compare]:
        """Fields of assets."""
        return {
            "task_id": _equal(Asset.task_uuid),
            "build_id": _equal(Asset.build_uuid),
            "name": self._text(Asset.name),
            "kind": _equal(Asset.kind),
            "media_type": self._text(Asset.media_type),
            "size_bytes": _number(Asset.size),
            "create_time": _known(Asset.create_time),
        }

    def text(self, column: Any) -> sa.ColumnElement[str]:
        """Return the column so that it is ordered by code point."""
        return sa.collate(column, "C") if self._postgres else column

    def parameter(self, path: tuple[Step, ...]) -> tuple[sa.ColumnElement[Any], ...]:
        """Return what tasks are ordered by, to order them by a parameter."""
        return self._json_keys(cast(Any, Task.params), path)

    def _state(self, state: type[BuildTask]) -> dict[str, Compare]:
        return {
            "status": _equal(state.status),
            "attempt": _number(state.attempt),
            "start_time": _known(state.start_time),
            "end_time": _known(state.end_time),
            "duration": _known(state.duration),
        }

    def _text(self, column: Any) -> Compare:
        find = sa.func.strpos if self._postgres else sa.func.instr

        def compare(_path: tuple[Step, ...], operator: str, operand: Operand) -> Any:
            text = plain(str(operand))
            match operator:
                case "=":
                    return column == text
                case ":":
                    return find(column, text) > 0
                case "~":
                    return self.text(column).regexp_match(text)
                case _:
                    return self.text(column).bool_op(operator)(text)

        return compare

    def _in_json(self, column: Any, *prefix: Step) -> Compare:
        def compare(path: tuple[Step, ...], operator: str, operand: Operand) -> Any:
            return self._json(column, (*prefix, *path), operator, operand)

        return compare


def _equal(column: Any) -> Compare:
    def compare(_path: tuple[Step, ...], _operator: str, operand: Operand) -> Any:
        assert isinstance(operand, int | UUID)
        return column == operand

    return compare


def _ordered(column: Any) -> Compare:
    def compare(_path: tuple[Step, ...], operator: str, operand: Operand) -> Any:
        assert isinstance(operand, UUID)
        return column.bool_op(operator)(operand)

    return compare


def _number(column: Any) -> Compare:
    """Compare integers with any number: `< 1.5` is `< 2`."""

    def compare(_path: tuple[Step, ...], operator: str, operand: Operand) -> Any:
        assert isinstance(operand, int | Decimal)
        bounded = max(-limits.MAX_INT64, min(operand, limits.MAX_INT64))
        whole = math.ceil(bounded) if operator in ("<", ">=") else math.floor(bounded)
        if operator == "=" and whole != operand:
            return sa.false()
        return column.bool_op(operator)(whole)

    return compare


def _known(column: Any) -> Compare:
    """Compare a column in which 0 stands for what is not known."""
    compare_number = _number(column)

    def compare(path: tuple[Step, ...], operator: str, operand: Operand) -> Any:
        return sa.and_(compare_number(path, operator, operand), column != 0)

    return compare
