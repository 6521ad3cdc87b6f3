"""`stardag sync`: deliver by hand what is still on this machine."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from stardag._errors import ConfigError, StardagError
from stardag.cli import output
from stardag.cli.views import cells
from stardag.config import get_config
from stardag.tracking.connection.address import parse_address
from stardag.tracking.connection.credential import configured_credential
from stardag.tracking.route import open_route
from stardag.tracking.sender.sync import SyncReport, deliver


def sync_spool(*, again: bool, recorded_for: str | None, json: bool) -> int:
    """Deliver, say what became of it, and return 1 while events or assets remain, else 0.

    Spans that remain are left to a sender, in the background.

    Raises `ConfigError` if no server is configured, or an address is wrong, and `StardagError` if
    nothing can be read.
    """
    config = get_config()
    if not config.server.address:
        raise ConfigError("no server is configured; set STARDAG_SERVER=<host:port>")
    address = parse_address(config.server.address)
    credential = configured_credential(config.server, address)
    try:
        report = asyncio.run(
            deliver(
                config.tracking.state_dir,
                address,
                credential,
                again=again,
                recorded_for=parse_address(recorded_for) if recorded_for is not None else None,
                retention_s=config.tracking.retention_s,
            )
        )
    except OSError as error:
        raise StardagError(f"what waits can't be read: {error}") from None
    if report.untraced and (route := open_route(config)) and route.launcher is not None:
        route.launcher.ensure()
    if json:
        output.print_json(asdict(report))
    else:
        _print(report, str(address))
    return 0 if report.complete else 1


def _print(report: SyncReport, here: str) -> None:
    console = output.console()
    console.print(
        f"{cells.plural(report.delivered, 'event')} delivered, {report.rejected} of them rejected; "
        f"{report.remaining} left"
    )
    if report.assets:
        console.print(f"{cells.plural(report.assets, 'asset')} left")
    if report.untraced:
        console.print(
            f"spans of {cells.plural(report.untraced, 'stream')} left, for a sender with the "
            "OTEL_* variables of their builds to export",
            soft_wrap=True,
        )
    for address, count in report.elsewhere.items():
        if address == here:
            which, there = "of another credential", "`stardag sync` with that one"
        else:
            which, there = f"for {address}", f"`STARDAG_SERVER={address} stardag sync`"
        console.print(
            f"{cells.plural(count, 'event')} {which}: {there} delivers there, "
            f"`stardag sync --recorded-for {address}` here",
            markup=False,
            soft_wrap=True,
        )
    for where, problem in report.problems.items():
        console.print(f"{where}: {problem}", markup=False, soft_wrap=True)
    if report.remaining or report.assets:
        console.print("what is left is tried again by the next build, or `stardag sync`")
