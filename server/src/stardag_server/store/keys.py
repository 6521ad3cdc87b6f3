"""The keys of all workspaces, by their id; never their secrets."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from stardag.v1.auth_pb2 import Scope
from stardag_server.domain.refusals import KeyNotFound, QuotaExceeded
from stardag_server.store.database import Database, clock
from stardag_server.store.queries import AnyRow
from stardag_server.store.schema import ApiKey, Workspace, plain

MAX_KEYS = 1_000
"""Keys of a workspace that work at once."""
_TOUCHED_EVERY = 300_000_000
"""Microseconds within which one use of a key is noted."""


@dataclass(frozen=True, slots=True)
class StoredKey:
    """What is known of a key when it is used. Times are microseconds since the Unix epoch."""

    key_id: str
    hash: bytes
    workspace: int
    workspace_name: str
    scopes: Sequence[Scope.ValueType]
    expire_time: int
    revoke_time: int
    now: int
    """The database's clock."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to be stored. It works for `ttl` microseconds, 0 for ever."""

    key_id: str
    hash: bytes
    display_name: str
    scopes: Sequence[Scope.ValueType]
    created_by: str
    ttl: int


class Keys:
    """The keys in one database. Those that were revoked or have expired stay, to be shown."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, key_id: str) -> StoredKey | None:
        """Return the key with this id, of whatever workspace, and note that it was used."""
        async with self._database.read_all() as connection:
            query = (
                sa.select(ApiKey, Workspace.name, clock(connection).label("now"))
                .join(Workspace, Workspace.id == ApiKey.workspace_id)
                .where(ApiKey.key_id == key_id)
            )
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        if row.now - row.last_used_time > _TOUCHED_EVERY:
            await self._touch(row.id)
        return StoredKey(
            row.key_id,
            row.hash,
            row.workspace_id,
            row.name,
            [Scope.ValueType(scope) for scope in row.scopes],
            row.expire_time,
            row.revoke_time,
            row.now,
        )

    async def create(self, workspace: int, new: NewKey) -> AnyRow:
        """Store a key; return its row. Raises QuotaExceeded if the workspace has too many."""
        async with self._database.write() as connection:
            now = (await connection.execute(sa.select(clock(connection)))).scalar_one()
            # Two who make keys at once count one after the other.
            own = sa.select(Workspace.id).where(Workspace.id == workspace)
            await connection.execute(own.with_for_update())
            count = sa.select(sa.func.count()).where(ApiKey.workspace_id == workspace, _works(now))
            if (await connection.execute(count)).scalar_one() >= MAX_KEYS:
                raise QuotaExceeded("keys", MAX_KEYS)
            insert = (
                sa.insert(ApiKey)
                .values(
                    workspace_id=workspace,
                    key_id=new.key_id,
                    hash=new.hash,
                    display_name=plain(new.display_name),
                    scopes=[*new.scopes],
                    created_by=plain(new.created_by),
                    create_time=now,
                    expire_time=now + new.ttl if new.ttl else 0,
                )
                .returning(*ApiKey.__table__.c)
            )
            return (await connection.execute(insert)).one()

    async def page(
        self, workspace: int, after: int | None, limit: int, show_ended: bool
    ) -> Sequence[AnyRow]:
        """Return keys of a workspace, newest first, after the one with this `id`."""
        query = sa.select(*ApiKey.__table__.c).where(ApiKey.workspace_id == workspace)
        if after is not None:
            query = query.where(ApiKey.id < after)
        async with self._database.read() as connection:
            if not show_ended:
                query = query.where(_works(clock(connection)))
            page = query.order_by(ApiKey.id.desc()).limit(limit)
            return (await connection.execute(page)).all()

    async def revoke(self, workspace: int, key_id: str) -> AnyRow:
        """End a key; one that was revoked before is left as it is. Return its row.

        Raises KeyNotFound if the workspace has none with this id.
        """
        own = (ApiKey.workspace_id == workspace, ApiKey.key_id == key_id)
        async with self._database.write() as connection:
            await connection.execute(
                sa.update(ApiKey)
                .where(*own, ApiKey.revoke_time == 0)
                .values(revoke_time=clock(connection))
            )
            query = sa.select(*ApiKey.__table__.c).where(*own)
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise KeyNotFound(key_id)
        return row

    async def _touch(self, key: int) -> None:
        async with self._database.write() as connection:
            used = sa.update(ApiKey).where(ApiKey.id == key)
            await connection.execute(used.values(last_used_time=clock(connection)))


def _works(now: int | sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    unexpired = sa.or_(ApiKey.expire_time == 0, ApiKey.expire_time > now)
    return sa.and_(ApiKey.revoke_time == 0, unexpired)
