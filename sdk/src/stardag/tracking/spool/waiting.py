"""What is still on this machine, spool by spool."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stardag.tracking.spool.asset_files import waiting_assets
from stardag.tracking.spool.delivery import SenderStatus, read_delivery, read_status
from stardag.tracking.spool.lease import sender_runs
from stardag.tracking.spool.names import is_for_traces_only
from stardag.tracking.spool.reader import last_sequence
from stardag.tracking.spool.streams import stream_directories

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(slots=True)
class WaitingSpool:
    """What of a spool is not delivered."""

    directory: Path
    events: int = 0
    assets: int = 0
    problems: dict[str, str] = field(default_factory=dict[str, str])
    """Why a stream can't be delivered or read, for people, by its id."""
    sender: SenderStatus | None = None
    """What the sender at work on it said last; None if there is none."""

    @property
    def undelivered(self) -> bool:
        """Whether anything is left, or can't be told."""
        return bool(self.events or self.assets or self.problems)


def waiting_spools(state_dir: Path) -> list[WaitingSpool]:
    """Return each spool for a server, also one of which everything is delivered.

    What is being written meanwhile may be counted or not. Raises `OSError` if `state_dir` can't
    be read.
    """
    root = state_dir / "spool"
    if not root.exists():
        return []
    spools = sorted(path for path in root.iterdir() if path.is_dir())
    return [_waiting(spool) for spool in spools if not is_for_traces_only(spool)]


def _waiting(directory: Path) -> WaitingSpool:
    waiting = WaitingSpool(directory)
    if sender_runs(directory):
        waiting.sender = read_status(directory)
    for stream in stream_directories(directory):
        try:
            delivery = read_delivery(stream)
            waiting.events += max(0, last_sequence(stream) - delivery.acked)
            waiting.assets += len(waiting_assets(stream))
        except FileNotFoundError:  # delivered, and put aside, since
            continue
        except OSError as error:
            waiting.problems[stream.name] = str(error)
            continue
        if delivery.problem:
            waiting.problems[stream.name] = delivery.problem
    return waiting
