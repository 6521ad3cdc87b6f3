"""The help of commands: their docstrings, with lines as long as the terminal has room for."""

from __future__ import annotations

import re
from inspect import cleandoc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cyclopts import App

_PARAGRAPH = re.compile(r"^( *)(?! |-+$)(.+(?:\n\1(?! |-+$).+)+)", re.MULTILINE)


def reflow(app: App) -> None:
    """Make each paragraph in the docstrings of an app's commands one line.

    They are broken for those who read the code, and help would be broken there once more.
    """
    for command in (app[name] for name in app if not name.startswith("-")):
        function = command.default_command
        if function is not None:
            function.__doc__ = _PARAGRAPH.sub(_joined, cleandoc(function.__doc__ or ""))
        reflow(command)


def _joined(paragraph: re.Match[str]) -> str:
    indent, text = paragraph.groups()
    return indent + " ".join(text.split())
