"""What can be said of a workspace on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from stardag.cli.options import MOST, Repeated
from stardag.cli.spans import Span

if TYPE_CHECKING:
    from stardag.v1.workspace_pb2 import Workspace

Roots = Annotated[Repeated, Parameter(help="Where outputs are, as `name=URI`; once for each.")]
Kept = Annotated[Span | None, Parameter(help="Such as `90d`; `0d` keeps them for ever.")]
Limit = Annotated[
    int | None,
    Parameter(
        validator=Number(gte=0, lte=2**63 - 1), help="0 for the server's default; wants OPERATOR."
    ),
]

_TEXTS = ("display_name", "description")
_LIMITS = (
    "max_events_per_second",
    "max_calls_per_second",
    "max_streams",
    "max_watches",
    "max_asset_bytes",
)


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class WorkspaceContent:
    """What a workspace is to have; None leaves a field as it is."""

    display_name: Annotated[str | None, Parameter(help="Name for people.")] = None
    description: Annotated[str | None, Parameter(help="Free text.")] = None
    target_root: Roots = None
    keep_builds: Kept = None
    keep_events: Kept = None
    keep_asset_revisions: Kept = None
    min_builds: Annotated[
        int | None,
        Parameter(
            validator=Number(gte=0, lte=MOST), help="Builds of each name kept whatever their age."
        ),
    ] = None
    max_events_per_second: Limit = None
    max_calls_per_second: Limit = None
    max_streams: Limit = None
    max_watches: Limit = None
    max_asset_bytes: Limit = None

    def write_to(self, workspace: Workspace) -> list[str]:
        """Change a workspace, and return the fields that were said, as a mask names them.

        Target roots are added to those that there are. Raises `ConfigError` for a root that is
        no pair.
        """
        from stardag.cli.pairs import split_pairs

        said = [f"limits.{name}" for name in _LIMITS if getattr(self, name) is not None]
        for path in said:
            name = path.removeprefix("limits.")
            setattr(workspace.limits, name, getattr(self, name))
        for name in _TEXTS:
            if (text := getattr(self, name)) is not None:
                setattr(workspace, name, text)
                said.append(name)
        if self.target_root:
            workspace.target_roots.update(split_pairs("--target-root", self.target_root))
            said.append("target_roots")
        return [*said, *self._write_retention(workspace)]

    def _write_retention(self, workspace: Workspace) -> list[str]:
        kept = {
            "builds": self.keep_builds,
            "events": self.keep_events,
            "asset_revisions": self.keep_asset_revisions,
        }
        said = [f"retention.{name}" for name, how_long in kept.items() if how_long is not None]
        for name, how_long in kept.items():
            if how_long is not None:
                getattr(workspace.retention, name).FromTimedelta(how_long)
        if self.min_builds is not None:
            workspace.retention.min_builds = self.min_builds
            said.append("retention.min_builds")
        return said
