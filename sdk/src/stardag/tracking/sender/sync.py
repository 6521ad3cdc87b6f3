"""Delivers what is left, in the foreground: what the command `stardag sync` does."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stardag.tracking.connection.backoff import Backoff
from stardag.tracking.connection.verdict import Fault, Verdict
from stardag.tracking.sender.asset_delivery import deliver_assets
from stardag.tracking.sender.cleaning import clean
from stardag.tracking.sender.closing import close_if_orphaned, written_here
from stardag.tracking.sender.shipment import Shipment
from stardag.tracking.sender.uplink import Server
from stardag.tracking.spool.asset_files import waiting_assets
from stardag.tracking.spool.delivered import put_aside, take_back
from stardag.tracking.spool.delivery import read_status
from stardag.tracking.spool.lease import Lease, dismiss_sender, take_lease
from stardag.tracking.spool.names import is_for_traces_only, is_spool_with
from stardag.tracking.spool.reader import last_sequence
from stardag.tracking.spool.streams import read_header, stream_directories

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from stardag.tracking.connection.address import Address
    from stardag.tracking.connection.credential import Credential
    from stardag.tracking.spool.streams import StreamHeader

_ATTEMPTS, _PAUSE_CAP_S = 3, 2.0
_FINAL = {Fault.CREDENTIAL, Fault.SUPERSEDED, Fault.STREAM}
_TAKE_OVER_S, _POLL_S = 10.0, 0.1
_GLANCES, _GLANCE_S = 5, 0.03


@dataclass(slots=True)
class SyncReport:
    """What became of the events of a state directory."""

    delivered: int = 0
    """Events the server has now and did not have before."""
    rejected: int = 0
    """How many of those it stored without applying them."""
    remaining: int = 0
    """Events that are still only here."""
    assets: int = 0
    """Assets that are still only here."""
    untraced: int = 0
    """Streams whose spans are still only here: those are for a sender to export."""
    elsewhere: dict[str, int] = field(default_factory=dict[str, int])
    """Events left alone, by the address of the server that they are for.

    At the address that was delivered to, those that were recorded with another credential.
    """
    problems: dict[str, str] = field(default_factory=dict[str, str])
    """Why events remain, or may, for people, by stream id or, if it is about all of them, spool."""

    @property
    def complete(self) -> bool:
        """Whether the server has all that is for it, as far as can be told."""
        return not (self.remaining or self.assets or self.problems)


async def deliver(
    state_dir: Path,
    address: Address,
    credential: Credential,
    *,
    again: bool = False,
    recorded_for: Address | None = None,
    retention_s: float = math.inf,
) -> SyncReport:
    """Deliver what `state_dir` has for `address`, was written without a server, or is a copy.

    A copy of another machine's directory goes where the caller says, whatever server it
    was meant for there. Streams whose writers live are delivered as far as they are
    written. May be repeated at any time: the server takes each event once. One stream's or
    spool's trouble does not hold up the others.

    With `again`, also what had been delivered with this credential and is still kept is brought to
    the server, as far as it does not have it: it may have been restored from a backup.

    What was recorded for another server, or with another credential that may be for another
    workspace, is left alone, unless its server is `recorded_for`. A credential that was refused is
    for none. What was delivered more than `retention_s` seconds ago is removed.

    A sender at work on a spool is asked to leave it first; the builds that need one start
    it again. What the trace collector does not have all of stays for them. Raises `OSError` if
    `state_dir` can't be read, and `ConfigError` if the credential would travel unencrypted to
    another machine.
    """
    report = SyncReport()
    server = Server(address, credential)
    root = state_dir / "spool"
    spools = sorted(path for path in root.iterdir() if path.is_dir()) if root.exists() else []
    for spool in spools:
        if is_for_traces_only(spool):
            continue
        ours = {str(recorded_for)} if recorded_for is not None else set[str]()
        if is_ours := is_spool_with(spool, address, credential) or _is_refused(spool):
            ours.add(str(address))
        try:
            await _deliver_spool(spool, server, report, ours, again=again and is_ours)
        except OSError as error:
            report.problems[str(spool)] = str(error)
    if spools:
        clean(root, retention_s)
    return report


def _is_refused(spool: Path) -> bool:
    status = read_status(spool)
    return status is not None and status.state == "refused"


async def _deliver_spool(
    spool: Path, server: Server, report: SyncReport, ours: Collection[str], *, again: bool
) -> None:
    # a sender is left alone where nothing is to be done for it
    is_wanted = again or any(_may_be_for(stream, ours) for stream in stream_directories(spool))
    lease = await _take_over(spool) if is_wanted else None
    try:
        if lease is not None and again:
            take_back(spool)
        for directory in stream_directories(spool):
            try:
                await _deliver_stream(directory, server, report, ours, may_send=lease is not None)
            except (OSError, ValueError) as error:
                if directory.exists():  # else somebody else has delivered it
                    report.problems[directory.name] = str(error)
        if is_wanted and lease is None and stream_directories(spool):
            report.problems[str(spool)] = "another process delivers it and does not let go"
    finally:
        if lease is not None:
            lease.release()


def _may_be_for(stream: Path, ours: Collection[str]) -> bool:
    try:
        return _is_for(read_header(stream), ours)
    except (OSError, ValueError):
        return True  # which is to be told


def _is_for(header: StreamHeader, ours: Collection[str]) -> bool:
    return header.address is None or header.address in ours or not written_here(header)


async def _deliver_stream(
    directory: Path,
    server: Server,
    report: SyncReport,
    ours: Collection[str],
    *,
    may_send: bool,
) -> None:
    shipment = Shipment(directory)
    here, address = written_here(shipment.header), shipment.header.address
    if address is not None and not _is_for(shipment.header, ours):
        if waiting := max(0, last_sequence(directory) - shipment.record.acked):
            report.elsewhere[address] = report.elsewhere.get(address, 0) + waiting
        return
    if here and may_send:
        await _close_if_orphaned(shipment)
    before = shipment.record
    verdict = None
    if may_send:
        verdict = await _attempt(shipment, server)
        verdict = verdict or await deliver_assets(directory, server)
    report.assets += len(waiting_assets(directory))
    remaining = max(0, last_sequence(directory) - shipment.record.acked)
    report.delivered += shipment.committed
    report.rejected += shipment.record.rejected - before.rejected
    report.remaining += remaining
    if verdict is not None and (remaining or waiting_assets(directory)):
        report.problems[directory.name] = verdict.message
    # a copy has no end mark if its writer lived when it was made
    delivered = shipment.is_acked(lambda reader: reader.ended or not here)
    if not delivered or waiting_assets(directory):
        return
    if here and shipment.untraced:
        report.untraced += 1
    else:
        put_aside(directory)


async def _close_if_orphaned(shipment: Shipment) -> None:
    for _ in range(_GLANCES):
        if close_if_orphaned(shipment.directory, shipment.header, seen_alive=False):
            return
        # the writer lives, or somebody who looked if it does had its lock for a moment
        await asyncio.sleep(_GLANCE_S)


async def _attempt(shipment: Shipment, server: Server) -> Verdict | None:
    """Deliver what is written by now; return what is wrong if that fails several times."""
    backoff = Backoff(_PAUSE_CAP_S)
    verdict = None
    for _ in range(_ATTEMPTS):
        # the reader has nothing more for now: that is enough here
        verdict = await shipment.attempt(server, _Unseen(), complete=lambda _: True)
        if verdict is None or verdict.fault in _FINAL:
            break
        await asyncio.sleep(backoff.failed(verdict.retry_after_s))
    return verdict


async def _take_over(spool: Path) -> Lease | None:
    """Return the right to deliver `spool`, after a sender has left; None if it is not to be had."""
    deadline = time.monotonic() + _TAKE_OVER_S
    while (lease := take_lease(spool, "sync")) is None and time.monotonic() < deadline:
        dismiss_sender(spool)
        await asyncio.sleep(_POLL_S)
    return lease


class _Unseen:
    """A witness whom nobody asks: the report says it all."""

    def connected(self) -> None:
        pass

    def failed(self, verdict: Verdict) -> None:
        pass
