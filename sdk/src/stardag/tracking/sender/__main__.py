"""The process that empties a spool: `python -m stardag.tracking.sender`.

One for each spool, which is what its lock is for. It outlives the process that started
it, and ends by itself when everything is delivered and nobody writes any more.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from stardag.telemetry.current import traces_wanted
from stardag.tracking.connection.address import parse_address
from stardag.tracking.connection.credential import add_options, given_credential
from stardag.tracking.spool.delivery import SenderStatus, write_status
from stardag.tracking.spool.lease import take_lease

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stardag.tracking.sender.dispatch import Dispatch
    from stardag.tracking.spool.lease import Lease
    from stardag.tracking.traces.otlp import OtlpExporter

_log = logging.getLogger(__name__)

_LOG_BYTES = 1 << 20
_LOOK_S = 1.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Empty the spool named on the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="stardag.tracking.sender", description=__doc__)
    parser.add_argument("--spool", type=Path, required=True)
    parser.add_argument("--address", type=parse_address)
    add_options(parser)
    parser.add_argument("--retention", type=float, required=True)
    options = parser.parse_args(arguments)
    spool: Path = options.spool
    _detach()
    lease = take_lease(spool, "sender")
    if lease is None:
        return 0
    _open_log(spool / "sender.log")
    try:
        write_status(spool, SenderStatus(os.getpid(), "starting"))
    except OSError as error:  # such as a full disk, which delivering does not need
        _log.warning("the status can't be written: %s", error)
    credential = given_credential(options)

    # only now, as many who start find the place taken
    from stardag.tracking.sender.dispatch import Dispatch
    from stardag.tracking.sender.uplink import Server

    exporter = _exporter()
    server = Server(options.address, credential) if options.address else None
    dispatch = Dispatch(spool, server, exporter, retention_s=options.retention)
    while lease is not None:
        asyncio.run(_run(dispatch, lease))
        lease.release()
        # a build that found the lock taken relies on this sender, which may just have left
        lease = take_lease(spool, "sender") if dispatch.has_work() else None
    if exporter is not None:
        exporter.close()
    return 0


async def _run(dispatch: Dispatch, lease: Lease) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, dispatch.stop)
    running = asyncio.create_task(dispatch.run())
    while not running.done():
        await asyncio.wait([running], timeout=_LOOK_S)
        if not lease.is_known:  # another sender is, or will be, at work there
            dispatch.stop()
    await running


def _exporter() -> OtlpExporter | None:
    if not traces_wanted(os.environ):
        return None
    from stardag.tracking.traces.otlp import OtlpExporter

    try:
        return OtlpExporter()
    except Exception:  # whatever OpenTelemetry makes of its settings, events are to arrive
        _log.exception("there are no traces, as OpenTelemetry's settings are wrong")
        return None


def _detach() -> None:
    """Let go of what the parent had open, of its directory and of its share of the processor.

    Each stream takes two files, so as many are to be opened as the system allows.
    """
    for entry in list(Path("/dev/fd").iterdir()):
        if int(entry.name) > 2:
            with suppress(OSError):  # the listing's own is closed by now
                os.close(int(entry.name))
    os.chdir("/")
    os.nice(10)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError):  # macOS says infinite, and allows less
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _open_log(path: Path) -> None:
    if path.exists() and path.stat().st_size > _LOG_BYTES:
        os.truncate(path, 0)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(process)d %(message)s"
    )


if __name__ == "__main__":
    sys.exit(main())
