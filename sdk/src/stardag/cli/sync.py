"""`stardag sync`: deliver by hand what is still on this machine."""

from __future__ import annotations

import asyncio

from stardag._errors import ConfigError
from stardag.cli import output
from stardag.config import get_config
from stardag.tracking.address import parse_address
from stardag.tracking.credential import configured_credential
from stardag.tracking.sync import deliver


def sync_spool() -> int:
    """Deliver, say what became of it, and return 1 while anything remains, else 0.

    Raises `ConfigError` if no server is configured.
    """
    config = get_config()
    if not config.server.address:
        raise ConfigError("no server is configured; set STARDAG_SERVER=<host:port>")
    address = parse_address(config.server.address)
    credential = configured_credential(config.server, address)
    report = asyncio.run(deliver(config.tracking.state_dir, address, credential))
    console = output.console()
    console.print(
        f"{report.delivered} events delivered, {report.rejected} of them rejected; "
        f"{report.remaining} remain"
    )
    if report.assets:
        console.print(f"{report.assets} assets remain")
    if report.elsewhere:
        console.print(f"{report.elsewhere} streams are for other servers")
    for where, problem in report.problems.items():
        console.print(f"{where}: {problem}", markup=False)
    return 1 if report.remaining or report.assets else 0
