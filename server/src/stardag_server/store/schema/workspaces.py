"""Workspaces and the keys to them."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from stardag_server.store.schema.base import Base, Json, Key, zero


class Workspace(Base):
    """The unit of isolation: no row of one is seen from another.

    `limits` and `retention` hold what differs from the server's defaults, by
    field; durations are in microseconds. `revision` counts the changes.
    """

    __tablename__ = "workspaces"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    display_name: Mapped[str] = mapped_column(server_default="")
    description: Mapped[str] = mapped_column(server_default="")
    target_roots: Mapped[dict[str, str]] = mapped_column(Json, server_default="{}")
    limits: Mapped[dict[str, int]] = mapped_column(Json, server_default="{}")
    retention: Mapped[dict[str, int]] = mapped_column(Json, server_default="{}")
    create_time: Mapped[int] = zero()
    revision: Mapped[int] = zero()


class ApiKey(Base):
    """A credential for programs; `hash` is all that is kept of its secret. Times: 0 for never."""

    __tablename__ = "api_keys"
    __table_args__ = (sa.Index(None, "workspace_id", "id"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id))
    key_id: Mapped[str] = mapped_column(unique=True)
    hash: Mapped[bytes]
    display_name: Mapped[str]
    scopes: Mapped[list[int]] = mapped_column(Json)
    created_by: Mapped[str]
    create_time: Mapped[int]
    expire_time: Mapped[int] = zero()
    last_used_time: Mapped[int] = zero()
    revoke_time: Mapped[int] = zero()
