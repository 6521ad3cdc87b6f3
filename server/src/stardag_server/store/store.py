"""The store: streams opened, batches committed, and all that is read."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

import sqlalchemy as sa

from stardag.v1.event_service_pb2 import OpenEventStream
from stardag.v1.task_pb2 import TaskDefinition
from stardag_server.domain.batch import Batch, Committed, OpenStream
from stardag_server.domain.refusals import Refusal, StorageUnavailable, TaskConflict
from stardag_server.store.archives import Archives
from stardag_server.store.assets import Assets
from stardag_server.store.build_memory import BuildMemory
from stardag_server.store.build_rows import BuildRows
from stardag_server.store.bulk import Bulk
from stardag_server.store.commit import Commit
from stardag_server.store.concurrency_limits import ConcurrencyLimits
from stardag_server.store.database import Database, clock, lacks_partition
from stardag_server.store.history import History
from stardag_server.store.keys import Keys
from stardag_server.store.leases import Leases
from stardag_server.store.listing import Listing
from stardag_server.store.notices import Notices
from stardag_server.store.partitions import EventPartitions
from stardag_server.store.postgres_bulk import PostgresBulk
from stardag_server.store.queries import Queries
from stardag_server.store.rejected_events import RejectedEvents
from stardag_server.store.retention import Retention
from stardag_server.store.samples import Samples
from stardag_server.store.schema import Stream, plain
from stardag_server.store.silent_builds import silent_builds, silent_workspaces
from stardag_server.store.sqlite_bulk import SqliteBulk
from stardag_server.store.task_keys import TaskKeys
from stardag_server.store.workspace_log import WorkspaceLogs
from stardag_server.store.workspaces import Workspaces

DEFAULT_WORKSPACE = "default"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CommitResult:
    """What became of each batch of a commit, in their order, and of the builds."""

    outcomes: list[Committed | Refusal]
    heads: dict[int, int]
    """Position of the last event of each build that was written to, by key."""


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """What a store is in."""

    database: str
    """"sqlite" or "postgresql"."""
    revision: str
    now: int


class Store:
    """Durable state in one database, at the schema this code knows.

    Every method raises StorageUnavailable while the database does not answer.
    As many commits as it has `writers` may run at once; other processes may
    commit as well. What is read is of the workspace that `reader` returns, if it returns one.
    """

    def __init__(self, url: sa.URL, reader: Callable[[], int | None] = lambda: None) -> None:
        self._database = Database(url, reader)
        self._bulk: Bulk = PostgresBulk() if self._database.postgres else SqliteBulk()
        self.writers = 2 if self._database.postgres else 1
        """Number of commits that gain by running at once."""
        self._partitions = EventPartitions(self._database)
        self._memory = BuildMemory()
        self.queries = Queries(self._database, self._bulk)
        self.listing = Listing(self._database)
        self.rejected = RejectedEvents(self._database)
        self.logs = WorkspaceLogs(self._database)
        self.notices = Notices(self._database)
        self.samples = Samples(self._database)
        self.history = History(self._database, self._bulk)
        self.assets = Assets(self._database)
        self.keys = Keys(self._database)
        self.archives = Archives(self._database, self._bulk, self._partitions)
        self.leases = Leases(self._database)
        self.retention = Retention(self._database, self._bulk, self._partitions, self._memory)
        self.limits = ConcurrencyLimits(self._database)
        self.workspaces = Workspaces(self._database)

    async def info(self) -> StoreInfo:
        """Return what database this is, and its clock."""
        async with self._database.read_all() as connection:
            now = (await connection.execute(sa.select(clock(connection)))).scalar_one()
            revision = await connection.execute(sa.text("SELECT version_num FROM alembic_version"))
            return StoreInfo(connection.dialect.name, revision.scalar_one(), now)

    async def close(self) -> None:
        """Close all connections."""
        await self._database.close()

    async def workspace(self, name: str = DEFAULT_WORKSPACE) -> int:
        """Return the key of the workspace with this name; create it if it is not there."""
        return (await self.workspaces.ensure(name)).id

    async def open_stream(self, workspace: int, stream: UUID, open: OpenEventStream) -> OpenStream:
        """Open a stream, new or known: whoever had it open can commit to it no longer."""
        async with self._database.write() as connection:
            now = clock(connection)
            described = {
                "client": plain(open.client),
                "host": plain(open.host),
                "pid": open.pid,
                "last_seen": now,
            }
            insert = self._database.insert(Stream).values(
                workspace_id=workspace,
                uuid=stream,
                generation=1,
                watermark=0,
                create_time=now,
                **described,
            )
            upsert = insert.on_conflict_do_update(
                index_elements=["workspace_id", "uuid"],
                set_={"generation": Stream.generation + 1, **described},
            ).returning(Stream.id, Stream.generation, Stream.watermark)
            key, generation, watermark = (await connection.execute(upsert)).one()
        return OpenStream(stream, key, generation, watermark)

    async def register(
        self, workspace: int, definitions: Mapping[bytes, TaskDefinition]
    ) -> set[bytes]:
        """Store the definitions of tasks, by id; return the tasks that were defined before.

        All or none: raises TaskConflict if one is known with another definition.
        """
        async with self._database.write() as connection:
            now = (await connection.execute(sa.select(clock(connection)))).scalar_one()
            keys = TaskKeys(connection, self._bulk, workspace, now)
            defined = await keys.defined(definitions)
            writes = await keys.resolve((), dict(definitions), {})
            for task, definition in definitions.items():
                if keys.contradicts(task, definition):
                    raise TaskConflict(UUID(bytes=task))
            if writes:
                await self._bulk.write(connection, writes)
        return defined

    async def commit(self, batches: Sequence[Batch]) -> CommitResult:
        """Store what is new of the batches, in one transaction.

        All must be of one workspace, and of streams that were opened. Batches of
        one stream are taken in their order. A batch that follows a gap, or whose
        stream was opened anew since, gets the refusal as its outcome and leaves
        the others alone. Any error means that nothing was stored, or, if the
        connection broke, that it isn't known: the same batches may then be
        committed again.
        """
        try:
            return await self._commit(batches)
        except StorageUnavailable:
            # The connection may have died long ago: then this has renewed them all.
            return await self._commit(batches)

    async def _commit(self, batches: Sequence[Batch]) -> CommitResult:
        workspace = batches[0].workspace
        outcomes, commit = await self._log(
            workspace, self._memory, lambda commit: commit.run(batches)
        )
        commit.rows.remember()
        return CommitResult(outcomes, commit.heads)

    async def _log(
        self, workspace: int, memory: BuildMemory, work: Callable[[Commit], Awaitable[T]]
    ) -> tuple[T, Commit]:
        """Do work that writes events, in a transaction of its own."""
        await self._partitions.ensure()
        try:
            return await self._log_once(workspace, memory, work)
        except Exception as error:
            if not lacks_partition(error):
                raise
            # The clock of the database is days away from that of this process.
            now = (await self.info()).now
            await self._partitions.ensure_for([datetime.fromtimestamp(now / 1_000_000, UTC)])
            return await self._log_once(workspace, memory, work)

    async def _log_once(
        self, workspace: int, memory: BuildMemory, work: Callable[[Commit], Awaitable[T]]
    ) -> tuple[T, Commit]:
        async with self._database.write() as connection:
            rows = BuildRows(connection, self._bulk, workspace, memory)
            commit = Commit(connection, self._bulk, workspace, rows)
            return await work(commit), commit

    async def request_cancel(self, workspace: int, build: UUID, reason: str) -> dict[int, int]:
        """Write into a build's log that it is asked to stop; return its new head, by key.

        Nothing is written, and nothing returned, if it has ended or was asked before.
        Raises BuildNotFound.
        """
        # With a memory of its own, as that of `commit` serves one transaction at a time.
        _, commit = await self._log(
            workspace, BuildMemory(), lambda commit: commit.request_cancel(build, reason)
        )
        return commit.heads

    async def silent_workspaces(self) -> Sequence[int]:
        """Return the keys of workspaces where a build runs of whose producer nothing is heard."""
        async with self._database.read() as connection:
            return (await connection.execute(silent_workspaces(connection))).scalars().all()

    async def give_up_silent_builds(self, workspace: int) -> dict[int, int]:
        """Make builds ABANDONED of whose producers nothing is heard, the oldest first.

        Return the new heads of some of them, by key; there may be more. Other
        processes may do so at once, and this one may commit meanwhile.
        """
        # With a memory of its own, as that of `commit` serves one transaction at a time.
        _, commit = await self._log(
            workspace,
            BuildMemory(),
            lambda commit: commit.give_up(silent_builds(commit.connection, workspace)),
        )
        return commit.heads
