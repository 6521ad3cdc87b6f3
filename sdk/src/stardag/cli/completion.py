"""`stardag completion`: what a shell needs to complete the command."""

from __future__ import annotations

from typing import Literal


def completion(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """Print the script that lets a shell complete `stardag`, for it to read when it starts.

    Parameters
    ----------
    shell
        The shell that reads it.
    """
    from stardag.cli.app import app

    print(app.generate_completion(prog_name="stardag", shell=shell))
