"""Processes that are not as they should be: most have a fault that the checks must see.

If they don't see it, they check nothing. Those with a jumping clock must do as well as any, and
one of little patience only spares a test the time that this takes elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from jumping_clock import JUMPING_CLOCK
from planting import wrap
from wrong_builder import say_more, say_nothing
from wrong_sender import forget_on_send, skip_a_segment, take_for_acknowledged
from wrong_server import (
    acknowledge_early,
    acknowledge_one_more,
    ask_for_all,
    change_a_byte,
    reorder,
    take_again,
    trust_memory,
)

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


def _instead(value: Any) -> Callable[[Any], Any]:
    """Have another number there."""
    return lambda _: value


_BULK_WRITE = "stardag_server.store.postgres_bulk:PostgresBulk.write"

DOUBLES = {
    "builder_that_hides_what_it_lost": Double(
        "builder", {"stardag.tracking.stream:EventStream._record_losses": say_nothing}
    ),
    "builder_that_says_more": Double(
        "builder", {"stardag.tracking.tracker:Tracker.build_started": say_more}
    ),
    "server_that_acknowledges_too_early": Double(
        "server", {"stardag_server.ingest:Ingest.submit": acknowledge_early}
    ),
    "server_that_acknowledges_one_more": Double(
        "server", {"stardag_server.store.commit:Commit.run": acknowledge_one_more}
    ),
    "server_that_takes_events_again": Double(
        "server",
        {
            "stardag_server.domain.batch:Batch.already_committed": take_again,
            "stardag_server.store.store:Store.open_stream": ask_for_all,
        },
    ),
    "server_that_trusts_its_memory": Double(
        "server", {"stardag_server.store.build_memory:BuildMemory.take": trust_memory}
    ),
    "server_that_changes_a_byte": Double("server", {_BULK_WRITE: change_a_byte}),
    "server_that_reorders": Double("server", {_BULK_WRITE: reorder}),
    "server_of_little_patience": Double(
        "server",
        {
            "stardag_server.domain.silence:SILENCE_US": _instead(3_000_000),
            "stardag_server.publishing:HEARTBEAT_INTERVAL": _instead(1),
            "stardag_server.sweep:_INTERVAL": _instead(0.5),
        },
    ),
    "sender_that_forgets_on_send": Double(
        "sender", {"stardag.tracking.sender.uplink:_Session._write": forget_on_send}
    ),
    "sender_that_skips_a_segment": Double(
        "sender", {"stardag.tracking.sender.shipment:SpoolReader": skip_a_segment}
    ),
    "sender_that_takes_for_acknowledged": Double(
        "sender", {"stardag.tracking.sender.shipment:Shipment.is_acked": take_for_acknowledged}
    ),
    "builder_of_jumping_clock": Double("builder", JUMPING_CLOCK),
    "sender_of_jumping_clock": Double("sender", JUMPING_CLOCK),
    "server_of_jumping_clock": Double("server", JUMPING_CLOCK),
}
