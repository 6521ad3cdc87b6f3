"""What every benchmark here shares: medians, and one way to report a figure.

Each benchmark is one file, `NN_what.py`, and measures one line of figures in one process, beside
its floor or its rivals in the same run: machines are noisy, ratios hold. Run alone with
`--json`, it prints one JSON object (an array of them where it has several figures), last.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field

RUNS = 5


@dataclass(frozen=True)
class Figure:
    """One measured figure."""

    figure: str
    value: float
    unit: str
    floor: float | None
    """The floor's value in the same unit, measured in the same run."""
    ratio: float | None
    """Value over floor; for rates, the share of the floor that is reached."""
    reach: str
    """What it must reach."""
    holds: bool
    rivals: dict[str, float] = field(default_factory=dict[str, float])


def at_most(
    figure: str,
    value: float,
    unit: str,
    limit: float,
    *,
    floor: float | None = None,
    floors: bool = False,
) -> Figure:
    """Return a figure that must not exceed `limit`, in its unit or, with `floors`, in floors."""
    ratio = value / floor if floor else None
    reach = f"<= {limit:g} x floor" if floors else f"<= {limit:g} {unit}"
    measured = ratio if floors and ratio is not None else value
    return Figure(figure, value, unit, floor, ratio, reach, measured <= limit)


def seconds(work: Callable[[], object]) -> float:
    """Return how long one call takes, without the garbage collector's chance visits."""
    gc.collect()
    gc.disable()
    try:
        begin = time.perf_counter()
        work()
        return time.perf_counter() - begin
    finally:
        gc.enable()


def interleaved(*works: Callable[[], float], runs: int = RUNS) -> list[float]:
    """Return the median of each measurement, taken in turns so that noise meets all alike."""
    samples: list[list[float]] = [[] for _ in works]
    for _ in range(runs):
        for own, work in zip(samples, works, strict=True):
            own.append(work())
    return [statistics.median(own) for own in samples]


def report(figures: Sequence[Figure]) -> None:
    """Print the figures for people or, with `--json`, for programs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments, _ = parser.parse_known_args()
    if arguments.json:
        values = [asdict(figure) for figure in figures]
        print(json.dumps(values if len(values) > 1 else values[0]))
        return
    for f in figures:
        beside = f", floor {f.floor:.4g}, ratio {f.ratio:.2f}" if f.floor and f.ratio else ""
        verdict = "holds" if f.holds else "MISSED"
        print(f"{f.figure}: {f.value:.4g} {f.unit}{beside}; reach {f.reach}: {verdict}")
