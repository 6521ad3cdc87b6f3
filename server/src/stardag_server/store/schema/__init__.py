"""The tables.

Inside, rows refer to each other by integer keys; UUIDs are translated at the
edge. Times are integers: microseconds since the Unix epoch, exact and equal in
both databases. Rows that ingest writes by the thousand (events, states,
dependencies) have no foreign keys: their keys are resolved in the transaction
that writes them, and a check for each would cost a lookup a row.

Text columns never hold a NUL character, which PostgreSQL refuses: `plain`
replaces it. What must be kept to the byte is kept as bytes.
"""

from stardag_server.store.schema.assets import Asset, AssetChunk
from stardag_server.store.schema.base import Base, plain
from stardag_server.store.schema.builds import Build, BuildTask, Stream, Task, TaskDependency
from stardag_server.store.schema.events import CommittedRange, Event, StrayEvent, WorkspaceLog
from stardag_server.store.schema.leases import ConcurrencyLimit, Lease, LeaseSlots
from stardag_server.store.schema.workspaces import ApiKey, Workspace

__all__ = [
    "ApiKey",
    "Asset",
    "AssetChunk",
    "Base",
    "Build",
    "BuildTask",
    "CommittedRange",
    "ConcurrencyLimit",
    "Event",
    "Lease",
    "LeaseSlots",
    "StrayEvent",
    "Stream",
    "Task",
    "TaskDependency",
    "Workspace",
    "WorkspaceLog",
    "plain",
]
