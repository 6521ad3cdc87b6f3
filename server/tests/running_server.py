"""A server inside the test's own process, on a real socket, with its stubs."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import grpc
import sqlalchemy as sa
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from stardag.v1 import (
    admin_service_pb2_grpc,
    asset_service_pb2_grpc,
    auth_service_pb2_grpc,
    build_service_pb2_grpc,
    event_service_pb2,
    event_service_pb2_grpc,
    lease_service_pb2_grpc,
    registry_service_pb2_grpc,
    workspace_service_pb2_grpc,
)
from stardag.v1 import event_pb2 as pb
from stardag_server import settings
from stardag_server.serving import serving


@dataclass
class Client:
    """The stubs of one channel, and the credential to pass with each call."""

    channel: grpc.aio.Channel
    metadata: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        # The stubs are made for both kinds of channels; their types only for one.
        self.admin: Any = admin_service_pb2_grpc.AdminServiceStub(self.channel)
        self.assets: Any = asset_service_pb2_grpc.AssetServiceStub(self.channel)
        self.auth: Any = auth_service_pb2_grpc.AuthServiceStub(self.channel)
        self.events: Any = event_service_pb2_grpc.EventServiceStub(self.channel)
        self.builds: Any = build_service_pb2_grpc.BuildServiceStub(self.channel)
        self.leases: Any = lease_service_pb2_grpc.LeaseServiceStub(self.channel)
        self.registry: Any = registry_service_pb2_grpc.RegistryServiceStub(self.channel)
        self.workspaces: Any = workspace_service_pb2_grpc.WorkspaceServiceStub(self.channel)

    def with_key(self, secret: str) -> Client:
        """Return a client on the same channel that calls with a key."""
        return Client(self.channel, (("authorization", f"Bearer {secret}"),))

    async def publish(
        self, open: event_service_pb2.OpenEventStream, events: Sequence[pb.NewEvent], first: int = 1
    ) -> event_service_pb2.EventAck:
        """Publish one batch in one call."""
        request = event_service_pb2.PublishEventBatchRequest(
            stream=open, first_sequence=first, events=events
        )
        response = await self.events.PublishEventBatch(request, metadata=self.metadata)
        return response.ack


@dataclass(frozen=True)
class RunningServer:
    """A server that serves until the block of `running` ends."""

    address: str
    token: str
    http: str
    """Where it answers HTTP."""

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The metadata that calls must carry."""
        return (("authorization", f"Bearer {self.token}"),)

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncGenerator[Client]:
        """Return a client on a channel of its own."""
        async with grpc.aio.insecure_channel(self.address) as channel:
            yield Client(channel, self.metadata)


@contextlib.asynccontextmanager
async def running(url: sa.URL, data_dir: Path, **options: Any) -> AsyncGenerator[RunningServer]:
    """Run a server on a database during the block; leaving it drains the server."""
    given = {
        "port": 0,
        # To stop it takes longer than most tests do.
        "http_port": "off",
        "data_dir": data_dir,
        "database_url": url.render_as_string(hide_password=False),
        **options,
    }
    async with serving(settings.load(given, {})) as ports:
        token = (data_dir / "token").read_text().strip()
        yield RunningServer(f"127.0.0.1:{ports.grpc}", token, f"http://127.0.0.1:{ports.http}")


@dataclass(frozen=True)
class Refused:
    """What a failed call told."""

    code: grpc.StatusCode
    message: str
    reason: str
    metadata: dict[str, str]
    fields: list[str]
    quotas: list[str]
    """Who has no more of what it may have."""
    retry_seconds: float | None

    @classmethod
    def of(cls, error: grpc.aio.AioRpcError) -> Refused:
        """Read the status with its details."""
        status = cast("status_pb2.Status | None", rpc_status.from_call(cast(Any, error)))
        assert status is not None, f"no details: {error}"
        assert status.ByteSize() < 8 << 10
        info = error_details_pb2.ErrorInfo()
        bad = error_details_pb2.BadRequest()
        quota = error_details_pb2.QuotaFailure()
        retry = error_details_pb2.RetryInfo()
        has_info, _, _, has_retry = (_unpack(status, kind) for kind in (info, bad, quota, retry))
        assert has_info and info.domain == "stardag.dev"
        return cls(
            error.code(),
            error.details() or "",
            info.reason,
            dict(info.metadata),
            [violation.field for violation in bad.field_violations],
            [violation.subject for violation in quota.violations],
            retry.retry_delay.ToMilliseconds() / 1_000 if has_retry else None,
        )


def _unpack(status: status_pb2.Status, into: Message) -> bool:
    return any(detail.Unpack(into) for detail in status.details)
