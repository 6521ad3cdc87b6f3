"""`stardag sync`: deliver by hand what is still on this machine."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from stardag._errors import ConfigError
from stardag.cli import output
from stardag.cli.views import cells
from stardag.config import get_config
from stardag.tracking.connection.address import parse_address
from stardag.tracking.connection.credential import configured_credential
from stardag.tracking.sender.sync import SyncReport, deliver


def sync_spool(*, json: bool) -> int:
    """Deliver, say what became of it, and return 1 while anything remains, else 0.

    Raises `ConfigError` if no server is configured.
    """
    config = get_config()
    if not config.server.address:
        raise ConfigError("no server is configured; set STARDAG_SERVER=<host:port>")
    address = parse_address(config.server.address)
    credential = configured_credential(config.server, address)
    report = asyncio.run(deliver(config.tracking.state_dir, address, credential))
    if json:
        output.print_json(asdict(report))
    else:
        _print(report)
    return 1 if report.remaining or report.assets else 0


def _print(report: SyncReport) -> None:
    console = output.console()
    console.print(
        f"{cells.plural(report.delivered, 'event')} delivered, {report.rejected} of them rejected; "
        f"{report.remaining} left"
    )
    if report.assets:
        console.print(f"{cells.plural(report.assets, 'asset')} left")
    if report.elsewhere:
        console.print(f"{cells.plural(report.elsewhere, 'stream')} for other servers")
    for where, problem in report.problems.items():
        console.print(f"{where}: {problem}", markup=False)
