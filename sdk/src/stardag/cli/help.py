"""How help is laid out: as cyclopts does it, with paragraphs that fit the terminal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cyclopts.help import HelpPanel
    from rich.console import Console, ConsoleOptions


class FlowingHelp:
    """Joins the lines of each paragraph of a docstring, whose ends are those of the source.

    What lays out is imported when help is asked for, and not with the commands.
    """

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Print the arguments, options or commands."""
        for entry in panel.entries:
            _flow(entry.description)
        _layout()(console, options, panel)

    def render_usage(self, console: Console, options: ConsoleOptions, usage: Any) -> None:
        """Print how the command is called."""
        _layout().render_usage(console, options, usage)

    def render_description(self, console: Console, options: ConsoleOptions, text: Any) -> None:
        """Print what the command does."""
        _flow(text)
        _layout().render_description(console, options, text)


def _layout() -> Any:
    from cyclopts.help import DefaultFormatter

    return DefaultFormatter()


_END_OF_LINE = re.compile(r"(?<!\n)\n(?!\n)")


def _flow(description: Any) -> None:
    text = getattr(description, "primary_renderable", None)
    if text is not None:
        end = "\n" if text.plain.endswith("\n") else ""
        text.plain = _END_OF_LINE.sub(" ", text.plain.rstrip("\n")) + end
