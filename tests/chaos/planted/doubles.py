"""Processes that are not as they should be: most have a fault that the checks must see.

If they don't see it, they check nothing. Those with a jumping clock must do as well as any, and
one of little patience only spares a test the time that this takes elsewhere.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from fail_points import is_first
from jumping_clock import JUMPING_CLOCK
from planting import wrap

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Double:
    """What stands for a process that does one thing differently."""

    process: Literal["builder", "sender", "server"]
    wrong: dict[str, Callable[[Any], Any]]
    """What is put around which function, by its place."""

    def plant(self) -> None:
        """Make this process the double."""
        for place, around in self.wrong.items():
            wrap(place, around)


def _acknowledge_early(submit: Any) -> Any:
    """Acknowledge a batch when it is taken in, and commit it when the stream's next one comes."""
    from stardag_server.domain.batch import Committed

    held: dict[Any, Any] = {}

    async def submitted(self: Any, batch: Any) -> asyncio.Future[Any]:
        earlier = held.pop(batch.stream.uuid, None)
        held[batch.stream.uuid] = batch
        if earlier is not None:
            await submit(self, earlier)
        outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        outcome.set_result(Committed(batch.last_committed(batch.stream.committed_sequence)))
        return outcome

    return submitted


def _take_again(_: Any) -> Any:
    """Store a batch whether or not it was stored before."""

    def already_committed(self: Any, watermark: int) -> int:
        return 0

    return already_committed


def _ask_for_all(open_stream: Any) -> Any:
    """Have a producer begin at its beginning, whenever it comes."""

    async def opened(self: Any, *args: Any) -> Any:
        return replace(await open_stream(self, *args), committed_sequence=0)

    return opened


def _forget_on_send(write: Any) -> Any:
    """Take for acknowledged what was sent; of all that is, the first batch is lost on its way."""

    async def written(self: Any, request: bytes) -> None:
        is_batch = self.window.unacked
        if is_batch:
            self.window.acked = self.window.sent
            self._tell()
        if not is_batch or not is_first():
            await write(self, request)

    return written


def _say_nothing(_: Any) -> Any:
    """Forget what could not be kept."""

    def record_losses(self: Any, spool: Any) -> None:
        self._lost.clear()

    return record_losses


def _instead(value: Any) -> Callable[[Any], Any]:
    """Have another number there."""
    return lambda _: value


DOUBLES = {
    "builder_that_hides_what_it_lost": Double(
        "builder", {"stardag.tracking.stream:EventStream._record_losses": _say_nothing}
    ),
    "server_that_acknowledges_too_early": Double(
        "server", {"stardag_server.ingest:Ingest.submit": _acknowledge_early}
    ),
    "server_of_little_patience": Double(
        "server",
        {
            "stardag_server.domain.silence:SILENCE_US": _instead(3_000_000),
            "stardag_server.publishing:HEARTBEAT_INTERVAL": _instead(1),
            "stardag_server.sweep:_INTERVAL": _instead(0.5),
        },
    ),
    "server_that_takes_events_again": Double(
        "server",
        {
            "stardag_server.domain.batch:Batch.already_committed": _take_again,
            "stardag_server.store.store:Store.open_stream": _ask_for_all,
        },
    ),
    "builder_of_jumping_clock": Double("builder", JUMPING_CLOCK),
    "sender_of_jumping_clock": Double("sender", JUMPING_CLOCK),
    "server_of_jumping_clock": Double("server", JUMPING_CLOCK),
    "sender_that_forgets_on_send": Double(
        "sender", {"stardag.tracking.sender.uplink:_Session._write": _forget_on_send}
    ),
}
