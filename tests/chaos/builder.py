"""A builder, as a program: `python builder.py KIND JOURNAL`, without a journal if that is "-".

Its segments are small, so that it has many. Its tasks take as long as CHAOS_PACE says.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator

import stardag as sd

_SEGMENT_BYTES = 8 << 10
_RETRIES = 9  # of tasks whose worker is killed
_PACE_S = float(os.environ["CHAOS_PACE"])


@sd.task(retries=_RETRIES)
def text(n: int) -> str:
    time.sleep(_PACE_S)
    return f"{n} " * (n % 37)


@sd.task(retries=_RETRIES)
def joined(texts: list[sd.Depends[str]]) -> str:
    time.sleep(_PACE_S)
    return "".join(texts)


@sd.task
def broken(value: sd.Depends[str]) -> str:
    raise ValueError(f"broken on purpose {'at length ' * 30}")


@sd.task
def after(value: sd.Depends[str]) -> str:
    return value


@sd.task
def chosen(n: int) -> Generator[sd.TaskStruct, None, str]:
    further = text(n=n)
    yield further
    return further.load()


def whole(size: int) -> sd.TaskStruct:
    rows = [joined(texts=[text(n=10 * row + n) for n in range(10)]) for row in range(size // 10)]
    return joined(texts=rows)


def failing(size: int) -> sd.TaskStruct:
    good, bad = text(n=1000), broken(value=text(n=1001))
    return [joined(texts=[text(n=n) for n in range(size)]), after(value=good), after(value=bad)]


def dynamic(size: int) -> sd.TaskStruct:
    return joined(texts=[chosen(n=2000 + n) for n in range(size // 3)])


KINDS = {
    "small": lambda: whole(10),
    "whole": lambda: whole(60),
    "failing": lambda: failing(50),
    "dynamic": lambda: dynamic(60),
    "processes": lambda: whole(40),
    "jumping": lambda: whole(40),
}


def main(kind: str, journal: str) -> int:
    """Build, print what came of it, and return the exit code."""
    if journal != "-":
        from chaos.journal import keep_journal

        from stardag.tracking.spool import writer

        writer.SEGMENT_BYTES = _SEGMENT_BYTES
        keep_journal(os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    executor = sd.ProcessExecutor(2) if kind == "processes" else None
    root = KINDS[kind]()
    summary = sd.build(root, executor=executor, fail_mode=sd.FailMode.CONTINUE)
    print(summary.status, summary.counts, sep="\n")
    if isinstance(root, sd.BaseTask):
        print(root.load())  # type: ignore[attr-defined]
    return 0 if summary.ok else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
