"""Assets and their bytes."""

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from stardag_server.store.schema.base import Base, Key
from stardag_server.store.schema.workspaces import Workspace


class Asset(Base):
    """A revision of a task's asset; its content is in `asset_chunks`."""

    __tablename__ = "assets"
    __table_args__ = (
        sa.UniqueConstraint("workspace_id", "task_uuid", "name", "revision"),
        sa.Index(None, "workspace_id", "id"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id))
    task_uuid: Mapped[UUID]
    name: Mapped[str]
    revision: Mapped[int]
    latest: Mapped[bool]
    kind: Mapped[int] = mapped_column(sa.SmallInteger)
    media_type: Mapped[str]
    description: Mapped[str]
    size: Mapped[int]
    sha256: Mapped[bytes]
    build_uuid: Mapped[UUID | None]
    create_time: Mapped[int]


class AssetChunk(Base):
    """The next bytes of an asset's content: all of one size, but for the last."""

    __tablename__ = "asset_chunks"

    asset_id: Mapped[int] = mapped_column(
        sa.ForeignKey(Asset.id, ondelete="CASCADE"), primary_key=True
    )
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[bytes]
