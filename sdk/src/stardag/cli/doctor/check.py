"""What `stardag doctor` says of one thing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, and what is wrong with it, if anything."""

    name: str
    ok: bool
    detail: str
    """What was found."""
    action: str = ""
    """What to do; empty if nothing has to be done."""
