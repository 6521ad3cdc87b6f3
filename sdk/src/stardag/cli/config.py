"""`stardag config`: every setting, its value, and where it was set."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from cyclopts import App

from stardag.cli.options import Json

if TYPE_CHECKING:
    from collections.abc import Iterator

config = App(name="config", help="Show the configuration.")


@config.command
def show(*, json: Json = False) -> None:
    """Show every setting and where it was set; the values of secrets are hidden.

    Variables called STARDAG_... that set nothing are told on stderr.

    Parameters
    ----------
    json
        Print a JSON object of `{name: {"value": ..., "source": ...}}`.
    """
    from rich.text import Text

    from stardag.cli import output
    from stardag.cli.views import tables
    from stardag.config import load_config, unknown_variables

    loaded = load_config()
    for name, meant in unknown_variables().items():
        hint = f"; did you mean {meant}?" if meant else ""
        print(f"stardag: {name} is set, and is no setting{hint}", file=sys.stderr)
    values = {"profile": loaded.profile, **dict(_flat(loaded.config.model_dump(mode="json")))}
    values.setdefault("target_roots.default", loaded.config.target_root("default"))
    sources = {name: loaded.sources.get(name, "default") for name in values}
    if loaded.profile:
        sources["profile"] = "STARDAG_PROFILE"
    if json:
        output.print_json({n: {"value": v, "source": sources[n]} for n, v in values.items()})
        return
    table = tables.rows()
    for column in ("SETTING", "VALUE", "SOURCE"):
        table.add_column(column, overflow="fold")
    for name, value in values.items():
        table.add_row(*map(Text, (name, "" if value is None else str(value), sources[name])))
    output.console().print(table)


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")  # pyright: ignore[reportUnknownArgumentType]
        else:
            yield prefix + name, value
