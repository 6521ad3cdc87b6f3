"""row level security for readers

Revision ID: b259f75d4d7b
Revises: 3d270ee1385a
"""

from collections.abc import Sequence

from alembic import op

from stardag_server.store.database import READER
from stardag_server.store.readers import ensure_reader

revision: str = 'b259f75d4d7b'
down_revision: str | Sequence[str] | None = '3d270ee1385a'
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


# Added after review: Alembic does not know of policies, and SQLite has none.
WORKSPACE = "nullif(current_setting('stardag.workspace', true), '')::bigint"
POLICIES = {
    "workspaces": "id",
    "api_keys": "workspace_id",
    "assets": "workspace_id",
    "builds": "workspace_id",
    "committed_ranges": "workspace_id",
    "concurrency_limits": "workspace_id",
    "leases": "workspace_id",
    "streams": "workspace_id",
    "tasks": "workspace_id",
    "workspace_logs": "workspace_id",
}
"""Tables with the column that says whose a row is."""
BY_KEY = (
    "asset_chunks",
    "build_tasks",
    "events",
    "lease_slots",
    "stray_events",
    "task_dependencies",
)
"""Tables that are reached by the keys of rows in those."""
IN_SCHEMA = "DO $$ BEGIN EXECUTE format('{change}', current_schema()); END $$"


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    ensure_reader(op.get_bind())
    op.execute(IN_SCHEMA.format(change=f"GRANT USAGE ON SCHEMA %I TO {READER}"))
    for table in (*POLICIES, *BY_KEY):
        op.execute(f"GRANT SELECT ON {table} TO {READER}")
    for table, column in POLICIES.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY readers ON {table} FOR SELECT TO {READER}"
            f" USING ({column} = {WORKSPACE})"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in POLICIES:
        op.execute(f"DROP POLICY readers ON {table}")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    for table in (*POLICIES, *BY_KEY):
        op.execute(f"REVOKE SELECT ON {table} FROM {READER}")
    # The role stays: other databases of the cluster may use it.
    op.execute(IN_SCHEMA.format(change=f"REVOKE USAGE ON SCHEMA %I FROM {READER}"))
