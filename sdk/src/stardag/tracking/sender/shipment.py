"""One stream on its way to the server, for as long as that takes."""

from __future__ import annotations

import asyncio
import logging
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from stardag.tracking.connection.backoff import Backoff
from stardag.tracking.connection.credential import CredentialError
from stardag.tracking.connection.rpc import RpcFailure
from stardag.tracking.connection.tls import TlsError
from stardag.tracking.connection.verdict import Fault, Verdict, judge
from stardag.tracking.sender.asset_delivery import deliver_assets
from stardag.tracking.sender.closing import close_if_orphaned, written_here
from stardag.tracking.sender.uplink import Progress, Server, SpoolGapError, publish
from stardag.tracking.sender.window import AckError
from stardag.tracking.spool.delivery import Delivery, read_delivery, write_cancel, write_delivery
from stardag.tracking.spool.reader import SpoolReader, last_sequence
from stardag.tracking.spool.streams import read_header, writer_lives

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_log = logging.getLogger(__name__)

_WATCH_S = 0.25
# a server that is back should be found soon, and one that answers with errors left alone
_SILENT_CAP_S, _ANSWERED_CAP_S = 3.0, 30.0
# a server that hangs should be left soon, and a slow line must get its batch through some time
_PATIENCE_S, _PATIENCE_CAP_S = 5.0, 40.0
_REFUSALS = 10
_FAILURES = (RpcFailure, TimeoutError, SpoolGapError, AckError, CredentialError, TlsError, OSError)
_NOBODYS = {Fault.SERVER, Fault.SILENCE, Fault.UNKNOWN}


def _has_ended(reader: SpoolReader) -> bool:
    return reader.ended


class Witness(Protocol):
    """Is told how the server behaves, by whichever stream finds out."""

    def connected(self) -> None:
        """Note that the server takes events."""
        ...

    def failed(self, verdict: Verdict) -> None:
        """Note that a delivery failed."""
        ...


class Shipment:
    """A stream, what is known of its delivery, and what is done for it."""

    def __init__(self, directory: Path) -> None:
        """Take up the stream where it was left. Raises `OSError` or `ValueError` if it is none."""
        self.directory = directory
        self.header = read_header(directory)
        self.record = read_delivery(directory)
        self.delivered = False
        """True once all events of the closed stream are acknowledged."""
        self.committed = 0
        """How many events the server has committed since it was first asked what it has."""
        self._puzzled = False
        """Whether the last attempt failed and nobody knows why."""
        self._patience_s = _PATIENCE_S
        """How long the server may be silent: twice as long each time that it was."""
        self._logged: set[str] = set()

    @property
    def untraced(self) -> bool:
        """Whether the trace collector does not have all of a closed stream that is for it, too."""
        return self.header.traced and self.record.exported <= last_sequence(self.directory)

    def update(self, record: Delivery) -> None:
        """Keep `record`, on disk too. That is for others to see; losing it costs a resend."""
        if record == self.record:
            return
        self.record = record
        try:
            write_delivery(self.directory, record)
        except OSError as error:
            self._warn(f"progress can't be written: {error}")

    async def close_when_orphaned(self) -> None:
        """Wait until the writer is gone, and close the stream for it.

        A disk that has no room for that is tried again, for as long as that takes.
        """
        if not written_here(self.header):
            return
        seen_alive = False
        backoff = Backoff(_ANSWERED_CAP_S)
        while True:
            pause = _WATCH_S
            if writer_lives(self.directory):
                seen_alive = True
            else:
                try:
                    # may have to read all of a long stream
                    if await asyncio.to_thread(
                        close_if_orphaned, self.directory, self.header, seen_alive=seen_alive
                    ):
                        return
                except OSError as error:
                    self._warn(f"it can't be closed yet: {error}")
                    pause = backoff.failed()
            # whoever looked in between if the writer lives had its lock for a moment
            await asyncio.sleep(pause)

    async def deliver(self, server: Server, witness: Witness, slots: asyncio.Semaphore) -> None:
        """Deliver the stream to its end, however often and however long the server fails.

        Given up, for this process's life, is only a stream whose writer is gone and which
        the server has refused ten times in a row, and handed over one that another sender
        has opened.

        One of `slots` is held if the writer is gone: of such streams there may be many,
        and nobody waits for them. A writer on another machine, which shares the directory,
        counts as alive until the stream's end mark, as nobody here can tell.
        """
        lives = writer_lives(self.directory) or not written_here(self.header)
        async with nullcontext() if lives else slots:
            silent, answered = _backoffs()
            refusals = 0
            while refusals < _REFUSALS or writer_lives(self.directory):
                before = self.record.acked
                verdict = None if self.is_acked() else await self.attempt(server, witness)
                if verdict is None:
                    self.delivered = True
                    return
                if verdict.fault is Fault.SUPERSEDED:
                    return
                if self.record.acked > before:
                    silent, answered, refusals = *_backoffs(), 0
                refusals += verdict.fault is Fault.STREAM
                backoff = silent if verdict.fault in _NOBODYS and not verdict.answered else answered
                await asyncio.sleep(backoff.failed(verdict.retry_after_s))

    async def deliver_assets(
        self, server: Server, witness: Witness, events: asyncio.Task[None]
    ) -> bool:
        """Deliver assets as they come, and all that is left once the `events` are through.

        Return whether nothing is left: that fails if the server refuses ten times in a row then.
        """
        silent, answered = _backoffs()
        refusals = 0
        while refusals < _REFUSALS:
            last = events.done()
            verdict = await deliver_assets(self.directory, server)
            if verdict is None:
                if last:
                    return True
                silent, answered, refusals = *_backoffs(), 0
                await asyncio.sleep(_WATCH_S)
                continue
            self._warn(f"assets: {verdict.message}")
            if verdict.fault is Fault.CREDENTIAL:
                witness.failed(verdict)
            refusals += last and verdict.answered
            backoff = answered if verdict.answered else silent
            await asyncio.sleep(backoff.failed(verdict.retry_after_s))
        return False

    async def attempt(
        self,
        server: Server,
        witness: Witness,
        *,
        complete: Callable[[SpoolReader], bool] = _has_ended,
    ) -> Verdict | None:
        """Deliver until the stream's end, or `complete`; return what is wrong if that fails."""
        known: int | None = None

        def report(progress: Progress) -> None:
            nonlocal known
            self.committed += progress.acked - (progress.acked if known is None else known)
            known = progress.acked
            if progress.proven:
                self._puzzled = False
                self._patience_s = _PATIENCE_S
                self._logged.clear()
                witness.connected()
            rejected = self.record.rejected + progress.rejected
            self.update(replace(self.record, acked=progress.acked, rejected=rejected, problem=""))

        try:
            await publish(
                server,
                self.header,
                lambda after: SpoolReader(self.directory, after),
                complete=complete,
                report=report,
                cancel=self._note_cancel,
                patience_s=self._patience_s,
            )
        except _FAILURES as error:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                # grpc reports a call that ended at the same moment instead of the cancellation
                raise asyncio.CancelledError from error
            verdict = judge(error)
            self._warn(f"{verdict.fault.name}: {verdict.message}")
            if self._puzzled or verdict.fault is not Fault.UNKNOWN:
                witness.failed(verdict)
            self._puzzled = verdict.fault is Fault.UNKNOWN
            if verdict.fault is Fault.SILENCE:
                self._patience_s = min(2 * self._patience_s, _PATIENCE_CAP_S)
            if verdict.fault is Fault.STREAM:
                self.update(replace(self.record, problem=verdict.message))
            return verdict
        return None

    def _note_cancel(self, build: str, reason: str) -> None:
        """Leave word for the building process, which looks for it."""
        try:
            write_cancel(self.directory, build, reason or "cancelled")
        except OSError as error:
            self._warn(f"a request to stop can't be written: {error}")

    def _warn(self, what: str) -> None:
        """Log what is wrong, once until the server is back: an outage may last for weeks."""
        if what not in self._logged:
            self._logged.add(what)
            _log.warning("%s: %s", self.directory.name, what)

    def is_acked(self, complete: Callable[[SpoolReader], bool] = _has_ended) -> bool:
        """Return whether the stream is `complete`, and all of it acknowledged already."""
        with SpoolReader(self.directory, self.record.acked) as reader:
            return not reader.read(1) and complete(reader) and not reader.has_gap()


def _backoffs() -> tuple[Backoff, Backoff]:
    return Backoff(_SILENT_CAP_S), Backoff(_ANSWERED_CAP_S)
