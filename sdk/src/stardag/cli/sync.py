"""`stardag sync`: deliver by hand what is still on this machine."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from stardag._errors import ConfigError
from stardag.cli import output
from stardag.config import get_config
from stardag.tracking.connection.address import parse_address
from stardag.tracking.connection.credential import configured_credential
from stardag.tracking.sender.sync import SyncReport, deliver


def sync_spool(*, recorded_for: str | None, json: bool) -> int:
    """Deliver, say what became of it, and return 1 while anything remains, else 0.

    Raises `ConfigError` if no server is configured, or an address is wrong.
    """
    config = get_config()
    if not config.server.address:
        raise ConfigError("no server is configured; set STARDAG_SERVER=<host:port>")
    address = parse_address(config.server.address)
    credential = configured_credential(config.server, address)
    report = asyncio.run(
        deliver(
            config.tracking.state_dir,
            address,
            credential,
            recorded_for=parse_address(recorded_for) if recorded_for is not None else None,
            retention_s=config.tracking.retention_s,
        )
    )
    if json:
        output.print_json(asdict(report))
    else:
        _print(report)
    return 0 if report.complete else 1


def _print(report: SyncReport) -> None:
    console = output.console()
    console.print(
        f"{report.delivered} events delivered, {report.rejected} of them rejected; "
        f"{report.remaining} remain"
    )
    if report.assets:
        console.print(f"{report.assets} assets remain")
    for address, count in report.elsewhere.items():
        console.print(
            f"{count} events are for {address}: `STARDAG_SERVER={address} stardag sync` delivers "
            f"them there, `stardag sync --recorded-for {address}` here",
            markup=False,
            soft_wrap=True,
        )
    for where, problem in report.problems.items():
        console.print(f"{where}: {problem}", markup=False, soft_wrap=True)
    if report.remaining or report.assets:
        console.print("what remains is tried again by the next build, or `stardag sync`")
