"""What was measured: a cell for each workload of each system."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field

from measurement import Sample
from systems import System


@dataclass
class Cell:
    """All runs of one workload by one system; after a failure, there are no more."""

    samples: list[Sample] = field(default_factory=list[Sample])
    failure: str = ""

    @property
    def run(self) -> float:
        """The median, in seconds."""
        return statistics.median(sample.run for sample in self.samples)

    @property
    def whole(self) -> float:
        """The median, in seconds."""
        return statistics.median(sample.whole for sample in self.samples)

    @property
    def remade(self) -> bool:
        """Whether files were written although they were there."""
        return any(sample.remade for sample in self.samples)

    @property
    def measured(self) -> bool:
        """Whether no run failed."""
        return bool(self.samples) and not self.failure


Results = Mapping[System, Mapping[str, Cell]]
"""The cells by system and workload, the floor first; no cell: the system has no such workload."""


def by_speed(results: Results) -> list[System]:
    """Return the systems, the floor first, then the fastest at making the files."""
    floor, *others = results

    def seconds(system: System) -> float:
        files = results[system]["files"]
        return files.run if files.measured else float("inf")

    return [floor, *sorted(others, key=seconds)]
