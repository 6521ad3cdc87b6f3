"""Puts the migrations into the wheel.

They lie at the top of the repository, and in a source distribution beside this
file.
"""

# Hatchling is there while something is built, and not in the workspace's environment.
# pyright: reportMissingImports=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportUntypedBaseClass=false
# pyright: reportUnknownArgumentType=false

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Migrations(BuildHookInterface[Any]):
    """Finds the migrations wherever the wheel is built from."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add their folder to what is built; an editable install reads the repository's."""
        if version == "editable":
            return
        root = Path(self.root)
        here = root / "migrations"
        found = here if here.is_dir() else root.parent / "migrations"
        target = "migrations" if self.target_name == "sdist" else "stardag_server/migrations"
        build_data["force_include"][str(found)] = target
