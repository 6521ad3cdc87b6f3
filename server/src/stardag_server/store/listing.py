"""Lists: filtered, ordered, and in pages by key, so that a page costs the same at any depth."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from stardag.v1.build_pb2 import BuildStatus
from stardag.v1.task_pb2 import TaskStatus
from stardag_server.domain.filter_fields import FAILURE_FIELDS
from stardag_server.domain.filters import Condition, fields_in
from stardag_server.domain.ordering import BY_PARAMETER, Order
from stardag_server.domain.refusals import PageTokenInvalid
from stardag_server.store.conditions import FieldColumns, compiled
from stardag_server.store.database import Database
from stardag_server.store.failures import Failure, read_failures
from stardag_server.store.queries import (
    BUILD_COLUMNS,
    STATE_COLUMNS,
    AnyRow,
    event_columns,
    events_query,
    state_columns,
)
from stardag_server.store.schema import Asset, Build, BuildTask, Event, Task

BUILD_ORDERS = ("start_time", "end_time", "duration", "name")
ASSET_ORDERS = ("create_time", "name", "size_bytes")
EVENT_ORDERS = ("position",)
STATE_ORDERS = ("start_time", "end_time", "duration", "name")
TASK_ORDERS = (
    "create_time",
    "namespace",
    "name",
    "version",
    "start_time",
    "end_time",
    "duration",
    BY_PARAMETER,
)

_AnySelect = sa.Select[*tuple[Any, ...]]


class Listing:
    """Lists of one database; each method reads one page of at most `limit` rows.

    `after` is the key of the last row of the page before, None for the first page.
    Statuses this code does not know are those of no row.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._postgres = database.postgres
        self._fields = FieldColumns(database.postgres)
        # Made once, as an order is seldom asked for: to make them takes a third of a list's time.
        self._build_orders = {**_run_orders(Build), "name": self._fields.text(Build.name)}
        self._state_orders = {**_run_orders(BuildTask), "name": self._fields.text(Task.name)}

    async def builds(
        self,
        workspace: int,
        after: int | None,
        limit: int,
        *,
        statuses: Sequence[int] = (),
        condition: Condition | None = None,
        order: Order | None = None,
    ) -> Sequence[AnyRow]:
        """Return builds, by default those heard of last first; their key is `id`."""
        query = _BUILDS.where(Build.workspace_id == workspace)
        conditions: list[sa.ColumnElement[bool]] = []
        if statuses:
            conditions.append(Build.status.in_({*statuses} & {*BuildStatus.values()}))
        if condition:
            conditions.append(compiled(condition, self._fields.builds(workspace)))
        pages = _pages(Build.id, True, self._build_orders, order)
        return await self._read(query, conditions, pages, after, limit)

    async def task_states(
        self,
        build: int,
        after: int | None,
        limit: int,
        *,
        statuses: Sequence[int] = (),
        condition: Condition | None = None,
        order: Order | None = None,
    ) -> Sequence[AnyRow]:
        """Return states of a build's tasks, by default by their key, which is `ordinal`."""
        query = (
            sa.select(*STATE_COLUMNS)
            .select_from(BuildTask)
            .join(Task, Task.id == BuildTask.task_id)
            .where(BuildTask.build_id == build)
        )
        conditions: list[sa.ColumnElement[bool]] = []
        if statuses:
            conditions.append(BuildTask.status.in_({*statuses} & {*TaskStatus.values()}))
        if condition:
            failures: Sequence[Failure] = ()
            if fields_in(condition) & {*FAILURE_FIELDS}:
                async with self._database.read() as connection:
                    failures = await read_failures(connection, build)
            conditions.append(compiled(condition, self._fields.states(BuildTask, failures)))
        pages = _pages(BuildTask.ordinal, False, self._state_orders, order)
        return await self._read(query, conditions, pages, after, limit)

    async def events(
        self,
        build: int,
        after: int | None,
        limit: int,
        *,
        condition: Condition | None = None,
        order: Order | None = None,
    ) -> Sequence[AnyRow]:
        """Return events of a build, by their key, which is `position`; or the last first."""
        query = events_query(*event_columns()).where(Event.build_id == build)
        conditions: list[sa.ColumnElement[bool]] = []
        if condition:
            conditions.append(compiled(condition, self._fields.events()))
        pages = _Pages(Event.position, descending=order is not None and order.descending)
        return await self._read(query, conditions, pages, after, limit)

    async def tasks(
        self,
        workspace: int,
        after: int | None,
        limit: int,
        *,
        condition: Condition | None = None,
        order: Order | None = None,
    ) -> Sequence[AnyRow]:
        """Return tasks, by default those heard of last first; their key is `id`.

        A row has the columns of the task's latest state as well, null if it is in no
        build: of both kinds, `create_time` and `id` are the task's.
        """
        latest, is_latest = self._latest_state()
        query = (
            sa.select(*state_columns(latest), *_TASK_COLUMNS, Build.uuid.label("build_uuid"))
            .select_from(Task)
            .outerjoin(latest, is_latest)
            .outerjoin(Build, Build.id == latest.build_id)
            .where(Task.workspace_id == workspace)
        )
        conditions: list[sa.ColumnElement[bool]] = []
        if condition:
            conditions.append(compiled(condition, self._fields.tasks(workspace, latest)))
        columns: dict[str, sa.ColumnElement[Any]] = {
            "namespace": self._fields.text(Task.namespace),
            "name": self._fields.text(Task.name),
            "version": self._fields.text(Task.version),
            **_run_orders(latest),
        }
        descending = True
        if order and order.field == "create_time":
            # Keys are given in the order in which tasks are heard of.
            descending, order = order.descending, None
        if order and order.field == BY_PARAMETER:
            keys = self._fields.parameter(order.path)
            pages = _Pages(Task.id, descending, keys, order.descending)
        else:
            pages = _pages(Task.id, descending, columns, order)
        # PostgreSQL has no use for the index of parameters where policies hold, as it does not
        # know whether its operators would give rows away that are not to be seen.
        by_index = condition is not None and "params" in fields_in(condition)
        return await self._read(query, conditions, pages, after, limit, without_policies=by_index)

    def _latest_state(self) -> tuple[type[BuildTask], sa.ColumnElement[bool]]:
        """Return the state where a task was last touched, and the condition to join it on."""
        newest = aliased(BuildTask)
        by_age = (newest.update_time.desc(), newest.build_id.desc())
        if self._postgres:
            # PostgreSQL would join all states with all tasks to find those in one status.
            state = sa.select(newest).where(newest.task_id == Task.id).order_by(*by_age).limit(1)
            return aliased(BuildTask, state.lateral()), sa.true()
        latest = aliased(BuildTask)
        build = sa.select(newest.build_id).where(newest.task_id == Task.id).order_by(*by_age)
        newest_build = build.limit(1).scalar_subquery()
        return latest, sa.and_(latest.task_id == Task.id, latest.build_id == newest_build)

    async def assets(
        self,
        workspace: int,
        after: int | None,
        limit: int,
        *,
        condition: Condition | None = None,
        order: Order | None = None,
    ) -> Sequence[AnyRow]:
        """Return latest revisions, by default those written last first; their key is `id`."""
        query = sa.select(*Asset.__table__.c).where(Asset.workspace_id == workspace, Asset.latest)
        conditions: list[sa.ColumnElement[bool]] = []
        if condition:
            conditions.append(compiled(condition, self._fields.assets()))
        columns = {
            "create_time": Asset.create_time,
            "name": self._fields.text(Asset.name),
            "size_bytes": Asset.size,
        }
        pages = _pages(Asset.id, True, columns, order)
        return await self._read(query, conditions, pages, after, limit)

    async def _read(
        self,
        query: _AnySelect,
        conditions: Sequence[sa.ColumnElement[bool]],
        pages: "_Pages",
        after: int | None,
        limit: int,
        *,
        without_policies: bool = False,
    ) -> Sequence[AnyRow]:
        page = query.where(*conditions).order_by(*pages.order)
        read = self._database.read_all if without_policies else self._database.read
        async with read() as connection:
            if after is not None:
                page = page.where(await pages.beyond(connection, query, after))
            return (await connection.execute(page.limit(limit))).all()


# Made once: that takes SQLAlchemy as long as the database takes to answer.
_BUILDS = sa.select(*BUILD_COLUMNS)
_UNLISTED = ("identity_json", "params_json", "params", "output_uri", "uuid", "namespace", "name")
_TASK_COLUMNS = (
    *(column for column in Task.__table__.c if column.name not in _UNLISTED),
    sa.func.coalesce(Task.params_json, Task.identity_json).label("shown_params"),
)


@dataclass(frozen=True, slots=True)
class _Pages:
    """Pages by columns, if any, and then by key; rows without a column come last in it."""

    key: Any
    descending: bool
    columns: tuple[sa.ColumnElement[Any], ...] = ()
    greatest_first: bool = False
    """Which way the columns are ordered."""

    @property
    def order(self) -> list[sa.ColumnElement[Any]]:
        """What to order by."""
        order: list[sa.ColumnElement[Any]] = []
        for column in self.columns:
            order += [column.is_(None), column.desc() if self.greatest_first else column]
        return [*order, self.key.desc() if self.descending else self.key]

    async def beyond(
        self, connection: AsyncConnection, query: _AnySelect, after: int
    ) -> sa.ColumnElement[bool]:
        """Return what is true of the query's rows that come after the one with this key.

        Raises PageTokenInvalid if that one is gone, and with it the place where it stood.
        """
        later = self.key < after if self.descending else self.key > after
        if not self.columns:
            return later
        found = query.with_only_columns(*self.columns).where(self.key == after)
        row = (await connection.execute(found)).one_or_none()
        if row is None:
            raise PageTokenInvalid
        for column, last in reversed([*zip(self.columns, row, strict=True)]):
            later = self._beyond(column, last, later)
        return later

    def _beyond(
        self, column: sa.ColumnElement[Any], last: Any, later: sa.ColumnElement[bool]
    ) -> sa.ColumnElement[bool]:
        """Return what is true beyond this value, or at it and `later` by what follows."""
        if last is None:
            return sa.and_(column.is_(None), later)
        beyond = column < last if self.greatest_first else column > last
        return sa.or_(beyond, sa.and_(column == last, later), column.is_(None))


def _run_orders(run: type[Build | BuildTask]) -> dict[str, sa.ColumnElement[Any]]:
    """Return the columns by which what ran is ordered; what has not yet is without them."""
    return {
        "start_time": sa.func.nullif(run.start_time, 0),
        "end_time": sa.func.nullif(run.end_time, 0),
        "duration": sa.func.nullif(run.duration, 0),
    }


def _pages(key: Any, descending: bool, columns: dict[str, Any], order: Order | None) -> _Pages:
    if order is None:
        return _Pages(key, descending)
    return _Pages(key, descending, (columns[order.field],), order.descending)
