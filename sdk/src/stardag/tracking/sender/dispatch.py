"""All of a spool's streams, each on its way, and how the server behaves towards them."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from typing import TYPE_CHECKING

from stardag.tracking.connection.verdict import Fault, Verdict
from stardag.tracking.sender.cleaning import clean
from stardag.tracking.sender.shipment import Shipment
from stardag.tracking.spool.delivered import put_aside
from stardag.tracking.spool.delivery import SenderState, SenderStatus, write_status
from stardag.tracking.spool.names import is_for_traces_only
from stardag.tracking.spool.streams import stream_directories
from stardag.tracking.traces.export import Exporter, export_traces
from stardag.tracking.traces.producers import Producers

if TYPE_CHECKING:
    from pathlib import Path

    from stardag.tracking.sender.uplink import Server

_log = logging.getLogger(__name__)

_SCAN_S, _LINGER_S, _CLEAN_S = 0.1, 2.0, 3600.0
_SLOTS = 8
_STATES: dict[Fault, SenderState] = {
    Fault.SERVER: "unreachable",
    Fault.UNKNOWN: "unreachable",
    Fault.SILENCE: "silent",
    Fault.CREDENTIAL: "refused",
    Fault.TRUST: "untrusted",
}


class Dispatch:
    """Brings the streams of one spool to the server and the collector, new ones as they come."""

    def __init__(
        self, spool: Path, server: Server | None, exporter: Exporter | None, *, retention_s: float
    ) -> None:
        """Serve `spool`; without a server or an exporter, nothing goes there."""
        self._spool = spool
        self._server = server
        self._exporter = exporter
        self._producers = Producers(server) if server is not None else None
        self._retention_s = retention_s
        self._witness = _Witness(spool, server)
        self._carried: dict[Path, asyncio.Task[None]] = {}
        self._settled: set[Path] = set()
        self._stopped = False

    async def run(self) -> None:
        """Work until there has been nothing to do for two seconds, or until `stop`."""
        # these belong to one event loop, and `run` may be called again in another
        self._slots = asyncio.Semaphore(_SLOTS)
        self._turn = asyncio.Lock()
        busy_at = cleaned_at = float("-inf")
        while not self._stopped and not self._witness.is_final:
            now = time.monotonic()
            if now - cleaned_at > _CLEAN_S:
                cleaned_at = now
                clean(self._spool.parent, self._retention_s)
            self._take_up()
            if self._carried:
                busy_at = now
            elif now - busy_at > _LINGER_S:
                break
            await asyncio.sleep(_SCAN_S)
        for task in self._carried.values():
            task.cancel()
        await asyncio.gather(*self._carried.values(), return_exceptions=True)
        self._carried.clear()

    def stop(self) -> None:
        """End `run` soon; what is not delivered stays for the next."""
        self._stopped = True

    def has_work(self) -> bool:
        """Return whether there are streams that nobody has taken up."""
        new = set(stream_directories(self._spool)) - self._settled
        return bool(new) and not self._stopped and not self._witness.is_final

    def _take_up(self) -> None:
        for directory in stream_directories(self._spool):
            if directory not in self._carried and directory not in self._settled:
                self._carried[directory] = asyncio.create_task(self._carry(directory))
        for directory in [path for path, task in self._carried.items() if task.done()]:
            self._settled.add(directory)
            if error := self._carried.pop(directory).exception():
                _log.error("%s is left where it is", directory.name, exc_info=error)

    async def _carry(self, directory: Path) -> None:
        shipment = Shipment(directory)
        async with asyncio.TaskGroup() as group:
            group.create_task(shipment.close_when_orphaned())
            delivered = group.create_task(self._deliver(shipment))
            traces = group.create_task(self._trace(shipment))
        if delivered.result() or (is_for_traces_only(self._spool) and traces.result()):
            put_aside(directory)

    async def _deliver(self, shipment: Shipment) -> bool:
        """Return whether the server has all of the stream, its assets too."""
        if self._server is None:
            return False
        async with asyncio.TaskGroup() as group:
            events = group.create_task(shipment.deliver(self._server, self._witness, self._slots))
            assets = group.create_task(shipment.deliver_assets(self._server, self._witness, events))
        return shipment.delivered and assets.result()

    async def _trace(self, shipment: Shipment) -> bool:
        """Return whether all of the stream was exported."""
        if self._exporter is None:
            return False
        try:
            await export_traces(shipment, self._exporter, self._turn, self._producers)
        except Exception:  # OpenTelemetry's faults and settings must not hold up the events
            _log.exception("%s: no more of its traces is exported", shipment.directory.name)
            return False
        return True


class _Witness:
    """Writes down how the server behaves, for builds to see, when that changes."""

    def __init__(self, spool: Path, server: Server | None) -> None:
        self._spool = spool
        self._token_is_fixed = server is not None and server.credential.token is not None
        self._status = SenderStatus(os.getpid(), "starting")

    @property
    def is_final(self) -> bool:
        """Whether to leave it to a sender with other settings: what this one has was refused."""
        state = self._status.state
        return state == "untrusted" or (state == "refused" and self._token_is_fixed)

    def connected(self) -> None:
        self._become("connected")

    def failed(self, verdict: Verdict) -> None:
        if (state := _STATES.get(verdict.fault)) is not None:
            self._become(state, verdict.message)

    def _become(self, state: SenderState, detail: str = "") -> None:
        if state == self._status.state:
            return
        self._status = SenderStatus(os.getpid(), state, detail)
        _log.info("the server: %s %s", state, detail)
        try:
            write_status(self._spool, self._status)
        except OSError as error:
            _log.warning("the status can't be written: %s", error)
