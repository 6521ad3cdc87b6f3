"""Objects below target roots as a Rich table."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from rich.filesize import decimal
from rich.table import Table

from stardag.cli.views import cells, tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stardag.cli.targets.roots import RootObject


def object_table(objects: Sequence[RootObject]) -> Table:
    """Return objects as a table, one a line."""
    table = tables.rows()
    table.add_column("SIZE", no_wrap=True, justify="right")
    table.add_column("WRITTEN", no_wrap=True)
    table.add_column("URI", overflow="fold")
    for each in objects:
        written = datetime.fromtimestamp(each.modified).strftime("%Y-%m-%d %H:%M:%S")
        table.add_row(decimal(each.size_bytes), written, cells.line(each.uri))
    return table
