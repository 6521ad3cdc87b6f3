"""Which fault comes when: decided by a seed alone, ahead of the run.

In each round of a run, each fault strikes once.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from .faults import FAULTS, Fault, Scene

if TYPE_CHECKING:
    from collections.abc import Sequence

_BUILDERS = 3
_KINDS = ["small", "whole", "failing", "dynamic", "jumping", "processes"]
_EVERY_S = 0.7
_SHORT_S, _LONG_S = 1.0, 7.0
"""How long faults last at most; a sender gives up on a silent server in between."""
_STEP_S = 0.05
_PACE_S = 0.3
"""How long a task takes at most: with it a build takes seconds."""


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault at its time, in seconds from the run's beginning."""

    begins: float
    ends: float
    fault: Fault
    seed: int

    def __str__(self) -> str:
        return f"{self.begins:6.1f} to {self.ends:6.1f} s: {self.fault.name}"


def plan(seed: int, rounds: int, *, with_disk: bool) -> list[Strike]:
    """Return the faults of a run; of one target, one at a time."""
    random = Random(seed)
    faults = [fault for fault in FAULTS if with_disk or not fault.needs_disk]
    strikes: list[Strike] = []
    free_at: dict[str, float] = {}
    now = 0.5
    for _ in range(rounds):
        deck = random.sample(faults, len(faults))
        while deck:
            if fault := next((each for each in deck if free_at.get(each.target, 0.0) <= now), None):
                deck.remove(fault)
                lasts = random.uniform(0.1, random.choice([_SHORT_S, _SHORT_S, _LONG_S]))
                strikes.append(Strike(now, now + lasts, fault, random.getrandbits(32)))
                free_at[fault.target] = now + lasts
            now += random.expovariate(1 / _EVERY_S)
    return strikes


def run(scene: Scene, strikes: Sequence[Strike], seed: int) -> None:
    """Build, and have the faults strike, until all have; leave everything mended."""
    random = Random(seed)
    began = time.monotonic()
    coming, mending = list(strikes), list[tuple[float, ExitStack]]()
    while coming or mending:
        now = time.monotonic() - began
        running = [builder for builder in scene.stage.builders if builder.runs()]
        if coming and len(running) < _BUILDERS:
            scene.stage.start_builder(random.choice(_KINDS), pace_s=random.uniform(0, _PACE_S))
        for due in [each for each in mending if each[0] <= now]:
            mending.remove(due)
            due[1].close()
        if coming and coming[0].begins <= now:
            strike = coming.pop(0)
            broken = ExitStack()
            broken.enter_context(strike.fault.breaking(scene, Random(strike.seed)))
            mending.append((strike.ends, broken))
        time.sleep(_STEP_S)
