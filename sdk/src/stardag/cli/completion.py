"""`stardag completion`: what a shell needs to complete the command."""

from __future__ import annotations

from typing import Literal

# what the scripts lack: zsh is to call what it loads, or be told of it where it is sourced; and
# fish would offer the files that are there beside commands and ids
_ENDS = {
    "bash": "",
    "zsh": """
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _cyclopts_stardag "$@"
else
  compdef _cyclopts_stardag stardag
fi
""",
    "fish": "complete -c stardag -n 'not __fish_seen_subcommand_from server' -f\n",
}


def completion(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """Print the script that lets a shell complete `stardag`, for it to read when it starts.

    Parameters
    ----------
    shell
        The shell that reads it.
    """
    from stardag.cli.app import app

    print(app.generate_completion(prog_name="stardag", shell=shell), end=_ENDS[shell])
