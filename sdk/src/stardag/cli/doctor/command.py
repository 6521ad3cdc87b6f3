"""`stardag doctor`: whether builds here work, and are tracked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stardag.cli.options import Json

if TYPE_CHECKING:
    from stardag.cli.doctor.check import Check


def doctor(*, json: Json = False) -> int:
    """Check settings, server, clock, credential, spool, traces, roots; exits with 1 on a problem.

    To see whether a target root takes outputs, a small object is written to it and deleted.

    Parameters
    ----------
    json
        Print a JSON object.
    """
    from dataclasses import asdict

    from stardag.cli import output
    from stardag.cli.doctor.checks import run_checks

    done: list[Check] = []
    for check in run_checks():
        done.append(check)
        if not json:
            _print(check)
    sound = all(check.ok for check in done)
    if json:
        output.print_json({"ok": sound, "checks": [asdict(check) for check in done]})
    return 0 if sound else 1


def _print(check: Check) -> None:
    from rich.text import Text

    from stardag import _colours
    from stardag._readable import one_line
    from stardag.cli import output

    word = Text("ok     ", _colours.GREEN) if check.ok else Text("problem", _colours.FAILURE)
    line = Text.assemble(word, f"  {check.name:14}  {one_line(check.detail)}")
    output.console().print(line, soft_wrap=True)
    if check.action:
        output.console().print(f"{'':25}{one_line(check.action)}", markup=False, soft_wrap=True)
