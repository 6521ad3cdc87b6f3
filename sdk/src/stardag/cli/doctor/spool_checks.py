"""Whether what builds have recorded on this machine is on its way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stardag._errors import ConfigError
from stardag.cli.doctor.check import Check
from stardag.tracking.connection.address import parse_address
from stardag.tracking.spool.names import is_spool_for
from stardag.tracking.spool.waiting import waiting_spools

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stardag.config import Config
    from stardag.tracking.connection.address import Address
    from stardag.tracking.spool.waiting import WaitingSpool


def spool_checks(config: Config) -> Iterator[Check]:
    """Yield what is wrong with spools, or what is on its way, or that nothing waits."""
    try:
        address = parse_address(config.server.address) if config.server.address else None
        spools = waiting_spools(config.tracking.state_dir)
    except ConfigError:  # told with the server
        return
    except OSError as error:
        yield Check("spool", False, str(error), "make it readable")
        return
    found = [_spool(spool, address) for spool in spools if spool.undelivered]
    yield from found or [Check("spool", True, "nothing waits")]


def _spool(spool: WaitingSpool, address: Address | None) -> Check:
    waiting = f"{spool.events} events" + (f" and {spool.assets} assets" if spool.assets else "")
    detail = f"{waiting} wait in {spool.directory}"
    if address is None:
        action = "set STARDAG_SERVER and run `stardag sync` to deliver them"
        return Check("spool", not spool.problems, detail, action)
    what, action = _obstacle(spool, address)
    if action:
        return Check("spool", False, detail + what, action)
    return Check("spool", True, f"{detail} and are on their way")


def _obstacle(spool: WaitingSpool, address: Address) -> tuple[str, str]:
    """Return what keeps a spool from being delivered, and what to do; nothing, if nothing does."""
    if spool.problems:
        stream, problem = next(iter(spool.problems.items()))
        return f"; stream {stream}: {problem}", "`stardag sync` tries again, and tells all of them"
    if not is_spool_for(spool.directory, address):
        return "", "they are for another server: set STARDAG_SERVER to it and run `stardag sync`"
    if spool.sender is None:
        return ", and nobody delivers them", "run `stardag sync`"
    if spool.sender.state in ("unreachable", "silent", "refused"):
        what = f"; the sender finds the server {spool.sender.state}: {spool.sender.detail}"
        return what, "they are delivered once that is put right"
    return "", ""
