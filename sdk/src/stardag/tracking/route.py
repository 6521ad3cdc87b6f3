"""The way from this process to one server, shared by all its builds."""

from __future__ import annotations

import atexit
import os
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from stardag.telemetry.current import traces_wanted
from stardag.tracking.connection.address import Address, parse_address
from stardag.tracking.connection.credential import Credential, configured_credential
from stardag.tracking.connection.probe import Probe
from stardag.tracking.launcher import Launcher, SenderArguments
from stardag.tracking.notices import Notices
from stardag.tracking.program import this_program
from stardag.tracking.spool.asset_files import waiting_assets
from stardag.tracking.spool.delivery import read_cancels, read_delivery
from stardag.tracking.spool.names import is_for_traces_only, spool_name
from stardag.tracking.stream import EventStream, StreamPosition

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from stardag.config import Config

_routes: dict[Path, Route] = {}


class Route:
    """This process's event stream to one server, and what starts the sender."""

    def __init__(self, config: Config, address: Address | None, spool: Path) -> None:
        """Lead to `address` by way of the directory `spool`; nothing is written yet."""
        self.address = address
        self.spool = spool
        self.program = this_program()
        traced = traces_wanted(os.environ)
        self.notices = Notices(str(address) if address else None, quiet=config.tracking.quiet)
        self._make_stream = partial(
            EventStream,
            spool,
            client=self.program.client,
            host=self.program.host,
            address=str(address) if address else None,
            traced=traced,
            max_bytes=config.tracking.max_bytes,
            fsync=config.tracking.fsync,
        )
        self.stream = self._make_stream()
        self._outgrown: set[EventStream] = set()
        self._probe = Probe(address) if address is not None else None
        self.launcher: Launcher | None = None
        if address is not None or traced:
            self.launcher = Launcher(_sender_arguments(config, address, spool))

    def begin_build(self) -> EventStream:
        """Return the stream of a build that starts now.

        One that has grown while builds run is left to those, so that in a process which always
        builds something each build still has its share of the disk.
        """
        for stream in tuple(self._outgrown):
            if stream.end_if_idle():
                self._outgrown.discard(stream)
        if self.stream.is_outgrown:
            self._outgrown.add(self.stream)
            self.stream = self._make_stream()
        stream = self.stream
        stream.begin_build()
        return stream

    def undelivered(self, position: StreamPosition | None) -> int:
        """Return how much the server does not have: events up to `position`, and assets."""
        if self.address is None or position is None or not position.directory.exists():
            return 0  # a stream that was closed and delivered is put aside
        events = max(0, position.sequence - read_delivery(position.directory).acked)
        return events + len(waiting_assets(position.directory))

    @property
    def keeps_assets(self) -> bool:
        """Whether there is, or will be, a server that assets are for."""
        return not is_for_traces_only(self.spool)

    def stop_requested(self, build: UUID, position: StreamPosition | None) -> str | None:
        """Return why the build was asked to stop; None if it was not, as far as is known here."""
        if self.address is None or position is None:
            return None
        return read_cancels(position.directory).get(str(build))

    def end(self) -> None:
        """Say at the process's end what is left to be said; nothing, if that can't be told."""
        with suppress(OSError):  # such as no more files to be opened
            streams = (self.stream, *self._outgrown)
            self.notices.process_ends(sum(self.undelivered(each.position()) for each in streams))

    def server_listens(self) -> bool:
        """Return whether something listens there, within half a second."""
        return self._probe is not None and self._probe.listens()


def open_route(config: Config) -> Route | None:
    """Return the process's way to the configured server, or None if nobody is to be told.

    Raises `ConfigError` if the server's address is wrong, or its token would be sent
    unencrypted.
    """
    address = parse_address(config.server.address) if config.server.address else None
    if address is None and not config.tracking.offline and not traces_wanted(os.environ):
        return None
    # absolute, as neither this process nor the sender need stay in this directory
    spool = config.tracking.state_dir.absolute() / "spool" / spool_name(config, address)
    route = _routes.get(spool)
    if route is None:
        # two threads may both make one; neither has touched the disk, and one is kept
        new = Route(config, address, spool)
        route = _routes.setdefault(spool, new)
        if route is new:
            atexit.register(route.end)
    return route


def _sender_arguments(config: Config, address: Address | None, spool: Path) -> SenderArguments:
    credential = Credential()
    if address is not None:
        credential = configured_credential(config.server, address)
        address.require_safe_for(credential)
    return SenderArguments(spool, address, credential, config.tracking.retention_s)
