"""Whether the configured server answers, at what time, and whom it takes the caller for."""

from __future__ import annotations

import time
from importlib.metadata import version
from typing import TYPE_CHECKING

from stardag._errors import ConfigError
from stardag._readable import duration
from stardag.cli.doctor.check import Check
from stardag.cli.keys import scope_words
from stardag.client import ServerError, UnauthenticatedError, UnreachableError, connect
from stardag.tracking.connection.address import parse_address
from stardag.tracking.connection.credential import configured_credential
from stardag.v1.admin_service_pb2 import GetServerInfoRequest
from stardag.v1.auth_pb2 import SCOPE_INGEST
from stardag.v1.auth_service_pb2 import GetCallerRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stardag.client import Client
    from stardag.config import Config

MOST_CLOCK_DIFFERENCE_S = 5.0
"""Seconds by which two clocks may differ; events and spans carry the time of the producer."""
_SOON_S = 7 * 86400.0
_TIMEOUT_S = 5.0


def server_checks(config: Config) -> Iterator[Check]:
    """Ask the server what it is and who calls; what is not answered is not looked at."""
    address = config.server.address or ""
    try:
        with connect(config) as client:
            yield from _asked(client, str(parse_address(address)))
    except UnreachableError as error:
        detail = f"{address} can't be reached: {error.detail}"
        action = "check the address, and that the server runs (`stardag server` starts one here)"
        yield Check("server", False, detail, action)
    except UnauthenticatedError:
        action = configured_credential(config.server, parse_address(address)).remedy()
        yield Check("credential", False, f"{address} does not accept it", action)
    except (ServerError, ConfigError) as error:
        yield Check("server", False, str(error), "check that this is the address of a server")


def _asked(client: Client, address: str) -> Iterator[Check]:
    client.auth.GetCaller(GetCallerRequest(), timeout=_TIMEOUT_S)  # connects, so that below is fast
    before, began = time.time(), time.monotonic()
    info = client.admin.GetServerInfo(GetServerInfoRequest(), timeout=_TIMEOUT_S)
    took = time.monotonic() - began
    detail = (
        f"{address} answers in {duration(took)}: version {info.version} on {info.database}; this "
        f"is {version('stardag')}"
    )
    yield Check("server", True, detail)
    yield clock_check(info.server_time.ToMicroseconds() / 1e6, before, took)
    caller = client.auth.GetCaller(GetCallerRequest(), timeout=_TIMEOUT_S)
    detail = f"{caller.principal} in workspace {caller.workspace}: {scope_words(caller.scopes)}"
    ends = caller.expire_time.ToMicroseconds() / 1e6 if caller.HasField("expire_time") else None
    if SCOPE_INGEST not in caller.scopes:
        action = "builds need one with the scope ingest (`stardag keys create`)"
        yield Check("credential", False, detail, action)
    elif ends is not None and ends - time.time() < _SOON_S:
        detail += f"; it ends in {duration(max(0.0, ends - time.time()))}"
        yield Check("credential", False, detail, "renew it (`stardag keys create`)")
    else:
        yield Check("credential", True, detail)


def clock_check(server_time: float, asked_at: float, took: float) -> Check:
    """Compare the server's clock with one that was read when it was asked, in seconds.

    The server's time is that of some moment of the call, which `took` so long.
    """
    ahead = asked_at + took / 2 - server_time
    detail = f"{duration(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} the server's"
    if abs(ahead) <= MOST_CLOCK_DIFFERENCE_S + took / 2:
        return Check("clock", True, detail)
    action = "set this machine's clock, or the server's, by NTP: times of events will be wrong"
    return Check("clock", False, detail, action)
