"""`stardag sync`: deliver by hand what is still on this machine."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from stardag._errors import ConfigError, StardagError
from stardag.cli import output
from stardag.config import get_config
from stardag.tracking.connection.address import parse_address
from stardag.tracking.connection.credential import configured_credential
from stardag.tracking.route import open_route
from stardag.tracking.sender.sync import SyncReport, deliver
from stardag.tracking.spool.names import spool_name


def sync_spool(*, again: bool, json: bool) -> int:
    """Deliver, say what became of it, and return 1 while events or assets remain, else 0.

    Spans that remain are left to a sender, in the background.

    Raises `ConfigError` if no server is configured, and `StardagError` if nothing can be read.
    """
    config = get_config()
    if not config.server.address:
        raise ConfigError("no server is configured; set STARDAG_SERVER=<host:port>")
    address = parse_address(config.server.address)
    credential = configured_credential(config.server, address)
    spool = spool_name(config, address) if again else None
    try:
        report = asyncio.run(deliver(config.tracking.state_dir, address, credential, again=spool))
    except OSError as error:
        raise StardagError(f"what waits can't be read: {error}") from None
    if report.untraced and (route := open_route(config)) and route.launcher is not None:
        route.launcher.ensure()
    if json:
        output.print_json(asdict(report))
    else:
        _print(report)
    return 1 if report.remaining or report.assets or report.problems else 0


def _print(report: SyncReport) -> None:
    console = output.console()
    console.print(
        f"{report.delivered} events delivered, {report.rejected} of them rejected; "
        f"{report.remaining} remain"
    )
    if report.assets:
        console.print(f"{report.assets} assets remain")
    if report.untraced:
        console.print(
            f"spans of {report.untraced} streams remain, for a sender with the OTEL_* variables of "
            "their builds to export"
        )
    if report.elsewhere:
        console.print(f"{report.elsewhere} streams are for other servers")
    for where, problem in report.problems.items():
        console.print(f"{where}: {problem}", markup=False)
