"""The process that keeps a build's leases: `python -m stardag.tracking.lease_keeper`.

It answers each line on its standard input with one on its standard output, both JSON, and
renews what is held until that is given back. When its input ends, as it does when the
building process dies, it gives everything back and ends.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from stardag._errors import StardagError
from stardag.client import Client, UnreachableError
from stardag.tracking.connection.address import parse_address
from stardag.tracking.connection.backoff import Backoff
from stardag.tracking.connection.credential import add_options, given_credential
from stardag.v1.lease_pb2 import LimitSlots
from stardag.v1.lease_service_pb2 import (
    LEASE_OUTCOME_ACQUIRED,
    AcquireLeaseRequest,
    LeaseReference,
    ReleaseLeasesRequest,
    RenewLeasesRequest,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_AT_ONCE = 1000


@dataclass(slots=True)
class Held:
    """A lease as its holder knows it."""

    token: int
    since: float
    """When the call was begun that got or renewed it, on the monotonic clock."""


class LeaseKeeper:
    """The leases of one holder, renewed at a third of their time."""

    def __init__(self, client: Client, ttl: float, slots: Mapping[str, int]) -> None:
        """Hold nothing yet."""
        self._client = client
        self._ttl = ttl
        self._slots = [LimitSlots(limit=limit, slots=count) for limit, count in slots.items()]
        self._holder = str(uuid4())
        self._held: dict[str, Held] = {}
        self._changing = threading.Lock()

    def answer(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to one question of the building process."""
        name = question["name"]
        try:
            match question["do"]:
                case "acquire":
                    held = self._held.get(name) if self.acquire(name) else None
                    return {"held": held is not None, "token": held.token if held else 0}
                case "look":
                    return {"held": self.lasts(name)}
                case _:
                    self.release([name])
                    return {}
        except StardagError as error:
            return {"error": str(error)}

    def acquire(self, name: str) -> bool:
        """Return whether the lease is held now that was not before, with half its time left.

        Raises `ServerError`, and `ConfigError` if the token file can't be read.
        """
        if name in self._held:
            return False
        request = AcquireLeaseRequest(name=name, holder_id=self._holder, slots=self._slots)
        request.ttl.FromMilliseconds(round(self._ttl * 1000))
        begun, lease = self._ask(request)
        if lease is None:
            return False
        with self._changing:
            self._held[name] = Held(lease, begun)
        if not self.lasts(name):
            self.release([name])
            return False
        return True

    def lasts(self, name: str) -> bool:
        """Return whether the lease is held with at least half of its time left."""
        held = self._held.get(name)
        return held is not None and time.monotonic() - held.since < self._ttl / 2

    def release(self, names: Sequence[str]) -> None:
        """Give leases back. What the server does not hear of ends by itself."""
        with self._changing:
            mine = {name: self._held.pop(name) for name in names if name in self._held}
        with suppress(UnreachableError):
            for some in _portions(mine):
                request = ReleaseLeasesRequest(holder_id=self._holder, leases=_references(some))
                self._client.leases.ReleaseLeases(request)

    def release_all(self) -> None:
        """Give back all that is held."""
        self.release([*self._held])

    def renew(self) -> None:
        """Renew what is held, and forget what is lost or over. Raises as `acquire`."""
        with self._changing:
            self._forget([n for n, h in self._held.items() if _age(h) >= self._ttl])
            mine = dict(self._held)
        for some in _portions(mine):
            begun = time.monotonic()
            request = RenewLeasesRequest(holder_id=self._holder, leases=_references(some))
            request.ttl.FromMilliseconds(round(self._ttl * 1000))
            response = self._client.leases.RenewLeases(request)
            with self._changing:
                for lease in response.renewed:
                    if lease.name in self._held:
                        self._held[lease.name].since = begun
                self._forget([n for n in response.lost if self._held.get(n) is some[n]])

    def _ask(self, request: AcquireLeaseRequest) -> tuple[float, int | None]:
        """Return when the call was begun, and the token if the lease was had.

        A server that can't be reached is asked again for half the time of a lease.
        """
        backoff = Backoff(3.0)
        give_up = time.monotonic() + self._ttl / 2
        while True:
            begun = time.monotonic()
            try:
                response = self._client.leases.AcquireLease(request)
            except UnreachableError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(backoff.failed())
            else:
                acquired = response.outcome == LEASE_OUTCOME_ACQUIRED
                return begun, response.lease.fencing_token if acquired else None

    def _forget(self, names: Sequence[str]) -> None:
        for name in names:
            self._held.pop(name, None)


def _age(held: Held) -> float:
    return time.monotonic() - held.since


def _references(leases: Mapping[str, Held]) -> list[LeaseReference]:
    return [LeaseReference(name=name, fencing_token=held.token) for name, held in leases.items()]


def _portions(leases: Mapping[str, Held]) -> list[dict[str, Held]]:
    """Cut what is held into what one call may have."""
    names = [*leases]
    return [
        {name: leases[name] for name in names[begin : begin + _AT_ONCE]}
        for begin in range(0, len(names), _AT_ONCE)
    ]


def _keep_renewing(keeper: LeaseKeeper, every_s: float, ended: threading.Event) -> None:
    pause = every_s
    while not ended.wait(pause):
        try:
            keeper.renew()
            pause = every_s
        except StardagError:
            pause = min(every_s, 1.0)  # what is not renewed in time is forgotten by `renew`


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer until the input ends; return the exit status."""
    parser = argparse.ArgumentParser(prog="stardag.tracking.lease_keeper", description=__doc__)
    parser.add_argument("--address", type=parse_address, required=True)
    add_options(parser)
    parser.add_argument("--ttl", type=float, required=True)
    parser.add_argument("--slots", type=json.loads, required=True)
    options = parser.parse_args(arguments)
    os.chdir("/")
    credential = given_credential(options)
    ended = threading.Event()
    with Client(options.address, credential) as client:
        keeper = LeaseKeeper(client, options.ttl, options.slots)
        renewing = threading.Thread(target=_keep_renewing, args=(keeper, options.ttl / 3, ended))
        renewing.start()
        for line in sys.stdin:
            question = json.loads(line)
            answer = keeper.answer(question) | {"number": question["number"]}
            print(json.dumps(answer), flush=True)
        ended.set()
        renewing.join()
        keeper.release_all()
    return 0


if __name__ == "__main__":
    sys.exit(main())
