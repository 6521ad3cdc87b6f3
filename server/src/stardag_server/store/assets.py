"""Assets: written as revisions, read in chunks, deleted with all revisions."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from stardag_server.domain.refusals import AssetNotFound, QuotaExceeded
from stardag_server.store.database import Database, clock
from stardag_server.store.queries import AnyRow
from stardag_server.store.schema import Asset, AssetChunk

CHUNK_BYTES = 256 << 10
_ASSET = tuple(Asset.__table__.c)


@dataclass(frozen=True, slots=True)
class NewAsset:
    """What is written, checked and without NUL characters."""

    task: UUID
    name: str
    kind: int
    media_type: str
    description: str
    build: UUID | None
    content: bytes


class Assets:
    """The assets of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, workspace: int, new: NewAsset, max_bytes: int | None = None) -> AnyRow:
        """Write a revision, unless it is like the latest; return the one that is the latest now.

        Raises QuotaExceeded if the workspace would then have more than `max_bytes`. What is
        written at once is not counted, so it may come to have a little more.
        """
        digest = hashlib.sha256(new.content).digest()
        async with self._database.write() as connection:
            await self._lock(connection, workspace, new.task, new.name)
            query = _revision(workspace, new.task, new.name, 0)
            latest = (await connection.execute(query)).one_or_none()
            if latest is not None:
                same = ("kind", "media_type", "description")
                if latest.sha256 == digest and all(
                    getattr(latest, field) == getattr(new, field) for field in same
                ):
                    return latest
                await connection.execute(
                    sa.update(Asset).where(Asset.id == latest.id).values(latest=False)
                )
            if max_bytes is not None:
                await check_quota(connection, workspace, max_bytes, len(new.content))
            insert = sa.insert(Asset).values(
                workspace_id=workspace,
                task_uuid=new.task,
                name=new.name,
                revision=latest.revision + 1 if latest is not None else 1,
                latest=True,
                kind=new.kind,
                media_type=new.media_type,
                description=new.description,
                size=len(new.content),
                sha256=digest,
                build_uuid=new.build,
                create_time=clock(connection),
            )
            row = (await connection.execute(insert.returning(*_ASSET))).one()
            for ordinal, begin in enumerate(range(0, len(new.content), CHUNK_BYTES)):
                chunk = new.content[begin : begin + CHUNK_BYTES]
                await connection.execute(
                    sa.insert(AssetChunk).values(asset_id=row.id, ordinal=ordinal, content=chunk)
                )
            return row

    async def asset(self, workspace: int, task: UUID, name: str, revision: int) -> AnyRow:
        """Return a revision; 0 is the latest. Raises AssetNotFound."""
        async with self._database.read() as connection:
            query = _revision(workspace, task, name, revision)
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise AssetNotFound(task, name, revision)
        return row

    async def content(self, asset: AnyRow, offset: int = 0) -> AsyncIterator[bytes]:
        """Yield the content from a byte on, in parts of at most CHUNK_BYTES.

        Raises AssetNotFound if the asset is deleted meanwhile.
        """
        for ordinal in range(offset // CHUNK_BYTES, -(-asset.size // CHUNK_BYTES)):
            query = sa.select(AssetChunk.content).where(
                AssetChunk.asset_id == asset.id, AssetChunk.ordinal == ordinal
            )
            async with self._database.read() as connection:
                chunk: bytes | None = (await connection.execute(query)).scalar()
            if chunk is None:
                raise AssetNotFound(asset.task_uuid, asset.name, asset.revision)
            if part := chunk[max(0, offset - ordinal * CHUNK_BYTES) :]:
                yield part

    async def delete(self, workspace: int, task: UUID, name: str) -> None:
        """Delete all revisions of an asset, if there are any."""
        async with self._database.write() as connection:
            await self._lock(connection, workspace, task, name)
            await connection.execute(
                sa.delete(Asset).where(
                    Asset.workspace_id == workspace, Asset.task_uuid == task, Asset.name == name
                )
            )

    async def _lock(
        self, connection: AsyncConnection, workspace: int, task: UUID, name: str
    ) -> None:
        """Wait for others who write the same asset; SQLite has one writer as it is."""
        if self._database.postgres:
            key = sa.func.hashtextextended(f"{task}/{name}", workspace)
            await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))


def _revision(workspace: int, task: UUID, name: str, revision: int) -> sa.Select[*tuple[Any, ...]]:
    return sa.select(*_ASSET).where(
        Asset.workspace_id == workspace,
        Asset.task_uuid == task,
        Asset.name == name,
        Asset.revision == revision if revision else Asset.latest,
    )


async def check_quota(
    connection: AsyncConnection, workspace: int, max_bytes: int, more: int = 0
) -> None:
    """Raise QuotaExceeded if the workspace has, with so many bytes more, too many of assets."""
    total = sa.select(sa.cast(sa.func.coalesce(sa.func.sum(Asset.size), 0), sa.BigInteger))
    present = (await connection.execute(total.where(Asset.workspace_id == workspace))).scalar_one()
    if present + more > max_bytes:
        raise QuotaExceeded("bytes of assets", max_bytes)
