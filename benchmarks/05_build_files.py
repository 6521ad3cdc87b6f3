"""A build of 1,000 tasks that write small JSON files, against a plain loop that writes them."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

from figures import at_most, interleaved, report, seconds

from stardag import AutoTask, TargetFactory, build, target_factory_provider

N = 1000


class Small(AutoTask[dict[str, int]]):
    """Writes a small JSON object."""

    n: int

    def run(self) -> None:
        self.output().save({"n": self.n})


def whole_build() -> float:
    """Make the tasks, their ids and their files."""
    directory = tempfile.mkdtemp()
    try:
        with target_factory_provider.override(TargetFactory({"default": directory})):
            return seconds(lambda: build([Small(n=n) for n in range(N)]).raise_for_status())
    finally:
        shutil.rmtree(directory)


def plain_loop() -> float:
    """Write the same content, as atomically, to the same number of folders."""
    directory = tempfile.mkdtemp()
    with target_factory_provider.override(TargetFactory({"default": directory})):
        paths = [Path(Small(n=n).output().uri) for n in range(N)]

    def write() -> None:
        for n, path in enumerate(paths):
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".partial")
            partial.write_text(json.dumps({"n": n}))
            os.replace(partial, path)  # noqa: PTH105

    try:
        return seconds(write)
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    value, base = interleaved(whole_build, plain_loop)
    figure = "build, 1,000 small files, whole run"
    report([at_most(figure, value * 1e3, "ms", 1.7, floor=base * 1e3, floors=True)])
