"""The way from this process to one server, shared by all its builds."""

from __future__ import annotations

import atexit
import os
import socket
from typing import TYPE_CHECKING

import stardag
from stardag.tracking.address import Address, parse_address
from stardag.tracking.asset_files import waiting_assets
from stardag.tracking.credential import Credential, configured_credential
from stardag.tracking.delivery import read_cancels, read_delivery
from stardag.tracking.launcher import Launcher, SenderArguments
from stardag.tracking.notices import Notices
from stardag.tracking.stream import EventStream, StreamPosition

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from uuid import UUID

    from stardag.config import Config

TRACES_ONLY = "traces"
"""Name of the spool of events that go to the trace collector and nowhere else."""

_KEPT = "local"
_PROBE_S = 0.25

_routes: dict[Path, Route] = {}


class Route:
    """This process's event stream to one server, and what starts the sender."""

    def __init__(self, config: Config, address: Address | None, spool: Path) -> None:
        """Lead to `address` by way of the directory `spool`; nothing is written yet."""
        self.address = address
        self.spool = spool
        self.client = client_name()
        self.host = socket.gethostname()
        self.notices = Notices(str(address) if address else None, quiet=config.tracking.quiet)
        self.stream = EventStream(
            spool,
            client=self.client,
            host=self.host,
            address=str(address) if address else None,
            max_bytes=config.tracking.max_bytes,
            fsync=config.tracking.fsync,
        )
        self.launcher: Launcher | None = None
        if address is not None or traces_wanted(os.environ):
            self.launcher = Launcher(_sender_arguments(config, address, spool))

    def undelivered(self, position: StreamPosition | None) -> int:
        """Return how much the server does not have: events up to `position`, and assets."""
        if self.address is None or position is None:
            return 0
        events = max(0, position.sequence - read_delivery(position.directory).acked)
        return events + len(waiting_assets(position.directory))

    @property
    def keeps_assets(self) -> bool:
        """Whether there is, or will be, a server that assets are for."""
        return self.spool.name != TRACES_ONLY

    def stop_requested(self, build: UUID, position: StreamPosition | None) -> str | None:
        """Return why the build was asked to stop; None if it was not, as far as is known here."""
        if self.address is None or position is None:
            return None
        return read_cancels(position.directory).get(str(build))

    def end(self) -> None:
        """Say at the process's end what is left to be said."""
        self.notices.process_ends(self.undelivered(self.stream.position()))

    def server_listens(self) -> bool:
        """Try to connect, for a quarter of a second at most."""
        if self.address is None:
            return False
        try:
            socket.create_connection((self.address.host, self.address.port), _PROBE_S).close()
        except OSError:
            return False
        return True


def open_route(config: Config) -> Route | None:
    """Return the process's way to the configured server, or None if nobody is to be told.

    Raises `ConfigError` if the server's address is wrong, or its token would be sent
    unencrypted.
    """
    address = parse_address(config.server.address) if config.server.address else None
    if address is None and not config.tracking.offline and not traces_wanted(os.environ):
        return None
    kept = _KEPT if config.tracking.offline else TRACES_ONLY
    # absolute, as neither this process nor the sender need stay in this directory
    state_dir = config.tracking.state_dir.absolute()
    spool = state_dir / "spool" / (address.slug if address else kept)
    route = _routes.get(spool)
    if route is None:
        # two threads may both make one; neither has touched the disk, and one is kept
        new = Route(config, address, spool)
        route = _routes.setdefault(spool, new)
        if route is new:
            atexit.register(route.end)
    return route


def client_name() -> str:
    """Return what the server is told of this software, such as `stardag-python/0.2.0`."""
    return f"stardag-python/{stardag.__version__}"


def traces_wanted(environment: Mapping[str, str]) -> bool:
    """Return whether OpenTelemetry's variables ask for traces by OTLP."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if environment.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp":
        return False
    return bool(
        environment.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
        or environment.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    )


def _sender_arguments(config: Config, address: Address | None, spool: Path) -> SenderArguments:
    credential = Credential()
    if address is not None:
        credential = configured_credential(config.server, address)
        address.require_safe_for(credential)
    return SenderArguments(spool, address, credential, config.tracking.retention_s)
