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
    if shell == "zsh":
        print(_ZSH_ENTRY)


# What is generated defines a function, and zsh calls that only in a file of the same name.
_ZSH_ENTRY = """\
if [[ $funcstack[1] == _* ]]; then  # a file of fpath is a function itself
  _cyclopts_stardag "$@"
else
  compdef _cyclopts_stardag stardag
fi"""
