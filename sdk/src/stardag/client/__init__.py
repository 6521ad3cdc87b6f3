"""Reads what a server knows: a channel, its credential, its errors, and nothing more.

    with stardag.client.connect() as client:
        request = ListTasksRequest(filter='name = train AND params.lr >= 0.01')
        for task in rows(client.registry.ListTasks, request, lambda page: page.tasks):
            print(task.task_id, task.output_uri)

`Client` is for threads and `AsyncClient` for asyncio. The stubs `admin`, `assets`, `auth`,
`builds`, `events`, `leases`, `registry` and `workspaces` are those generated from the contract: all
it offers can be called. `rows` reads any list to its end, and `watch` any watch on through
restarts; of an `AsyncClient` both are for `async for`. Every unary call has a deadline of ten
seconds unless it is given another, and fails with a `ServerError`, which says what went wrong
and what to do; or with a `ConfigError` if the token file can't be read, which is done anew for
each call.
"""

from stardag.client._clients import AsyncClient, Client, connect, connect_aio
from stardag.client._errors import (
    NotFoundError,
    ServerError,
    UnauthenticatedError,
    UnreachableError,
)
from stardag.client._guards import DEADLINE_S
from stardag.client._pages import rows
from stardag.client._watches import watch

__all__ = [
    "DEADLINE_S",
    "AsyncClient",
    "Client",
    "NotFoundError",
    "ServerError",
    "UnauthenticatedError",
    "UnreachableError",
    "connect",
    "connect_aio",
    "rows",
    "watch",
]
