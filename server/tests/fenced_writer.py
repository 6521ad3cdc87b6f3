"""A process that adds to a number under a lease, and pauses itself between read and write.

    python fenced_writer.py <database url> <file> <additions> <fenced: 0 or 1>

The number is in a database of its own, read and written in two steps, as an
output is. Fenced, it takes nothing with a token that is older than its newest.
"""

import asyncio
import os
import signal
import sqlite3
import sys
from contextlib import closing
from uuid import uuid4

import sqlalchemy as sa

from stardag.v1.lease_service_pb2 import LEASE_OUTCOME_ACQUIRED
from stardag_server.store.store import Store

_TTL_US = 150_000
_PAUSE_EVERY = 2


async def main(url: str, file: str, additions: int, fenced: bool) -> None:
    """Add 1 so many times; print how often that was refused."""
    store = Store(sa.make_url(url))
    workspace, holder = await store.workspace(), uuid4()
    done = refused = 0
    refused_last = False
    with closing(sqlite3.connect(file, isolation_level=None, timeout=60)) as resource:
        while done < additions:
            decision, held = await store.leases.acquire(workspace, "n", holder, _TTL_US, {})
            if held is None or decision.outcome != LEASE_OUTCOME_ACQUIRED:
                await asyncio.sleep(0.01)
                continue
            token = held.row.fencing_token
            guard = f"WHERE token <= {token}" if fenced else ""
            # What is to be built upon is read under the token too: after that, older ones are late.
            read = f"UPDATE resource SET token = {token} {guard} RETURNING number"
            row = resource.execute(read).fetchone()
            if row is None:
                continue
            if done % _PAUSE_EVERY == 0 and not refused_last:
                os.kill(os.getpid(), signal.SIGSTOP)
            write = f"UPDATE resource SET number = {row[0] + 1} {guard}"
            written = resource.execute(write).rowcount
            if written:
                done += 1
            else:
                refused += 1
            refused_last = not written
            await store.leases.release(workspace, holder, {"n": token})
    await store.close()
    print(refused)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "1"))
