"""What a server tells of itself."""

import time
from importlib.metadata import version

import sqlalchemy as sa
from running_server import Client

from stardag.v1.admin_service_pb2 import GetServerInfoRequest
from stardag_server.store.migration import migrate


async def test_a_server_tells_what_it_is_and_what_it_takes(client: Client, database_url: sa.URL):
    info = await client.admin.GetServerInfo(GetServerInfoRequest(), metadata=client.metadata)
    assert info.version == version("stardag-server")
    assert info.database == database_url.get_backend_name()
    assert info.schema_revision == await migrate(database_url)
    assert abs(info.server_time.ToSeconds() - time.time()) < 60
    assert (info.max_message_bytes, info.max_batch_events) == (4 << 20, 10_000)
    assert info.max_batch_bytes == 1 << 20
