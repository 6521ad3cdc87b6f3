"""The id of a task with three scalars, against `json.dumps` and `uuid5` of the same dict."""

from __future__ import annotations

import json
from uuid import uuid5

from figures import at_most, interleaved, report, seconds

from stardag import AutoTask
from stardag._identity import NAMESPACE

N = 20_000


class Three(AutoTask[int]):
    """Three scalars."""

    a: int
    b: str
    c: float


def ids() -> float:
    tasks = [Three(a=i, b="text", c=0.5) for i in range(N)]
    return seconds(lambda: [task.id for task in tasks]) / N * 1e6


def floor() -> float:
    payloads = [
        {"__namespace": "", "__name": "Three", "version": "", "a": i, "b": "text", "c": 0.5}
        for i in range(N)
    ]

    def identify() -> None:
        for payload in payloads:
            uuid5(NAMESPACE, json.dumps(payload, separators=(",", ":"), sort_keys=True))

    return seconds(identify) / N * 1e6


def construct() -> float:
    return seconds(lambda: [Three(a=i, b="text", c=0.5) for i in range(N)]) / N * 1e6


if __name__ == "__main__":
    value, base, construction = interleaved(ids, floor, construct)
    report(
        [
            at_most("id of a task, 3 scalars", value, "us", 1.5, floor=base, floors=True),
            at_most("construct the task", construction, "us", 1.6),
        ]
    )
