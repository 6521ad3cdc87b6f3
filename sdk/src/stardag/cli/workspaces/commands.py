"""`stardag workspaces`: the caller's workspace, and for who runs the server, all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cyclopts import App

from stardag.cli.options import Json, Repeated
from stardag.cli.workspaces.content import WorkspaceContent

if TYPE_CHECKING:
    from google.protobuf.duration_pb2 import Duration

    from stardag.v1.workspace_pb2 import Workspace

workspaces = App(name="workspaces", help="Show, list, make and change workspaces.")


_NOTHING = WorkspaceContent()


@workspaces.command
def show(*, json: Json = False) -> None:
    """Show the workspace of the credential: where outputs are, limits, how long things are kept.

    Parameters
    ----------
    json
        Print a JSON object.
    """
    from stardag.client import connect
    from stardag.config import get_config
    from stardag.v1.workspace_service_pb2 import GetWorkspaceRequest

    with connect(get_config()) as client:
        _print(client.workspaces.GetWorkspace(GetWorkspaceRequest()).workspace, json=json)


@workspaces.command(name="list")
def list_workspaces(*, json: Json = False) -> None:
    """List the workspaces of the server, by name; wants the scope OPERATOR.

    Parameters
    ----------
    json
        Print a JSON array.
    """
    from stardag.cli import output
    from stardag.cli.views import cells, tables
    from stardag.client import connect, rows
    from stardag.config import get_config
    from stardag.v1.workspace_service_pb2 import ListWorkspacesRequest

    with connect(get_config()) as client:
        request = ListWorkspacesRequest(page_size=1000)
        call = client.workspaces.ListWorkspaces
        found = list(rows(call, request, lambda page: page.workspaces))
    if json:
        output.print_json([output.as_dict(workspace) for workspace in found])
        return
    table = tables.rows()
    for column in ("WORKSPACE", "NAME", "MADE"):
        table.add_column(column, overflow="fold", no_wrap=column == "MADE")
    for each in found:
        table.add_row(each.name, cells.line(each.display_name), cells.moment(each.create_time))
    output.console().print(table)


@workspaces.command
def create(name: str, /, *, content: WorkspaceContent = _NOTHING, json: Json = False) -> None:
    """Make a workspace; wants the scope OPERATOR. The same once more changes nothing.

    `stardag keys create --workspace NAME` then makes its first key.

    Parameters
    ----------
    name
        Its name, never changed: a to z, 0 to 9 and `-`.
    json
        Print it as a JSON object.
    """
    from stardag.client import connect
    from stardag.config import get_config
    from stardag.v1.workspace_pb2 import Workspace
    from stardag.v1.workspace_service_pb2 import CreateWorkspaceRequest

    workspace = Workspace(name=name)
    content.write_to(workspace)
    with connect(get_config()) as client:
        request = CreateWorkspaceRequest(workspace=workspace)
        _print(client.workspaces.CreateWorkspace(request).workspace, json=json)


@workspaces.command
def update(
    *,
    content: WorkspaceContent = _NOTHING,
    remove_target_root: Repeated = None,
    json: Json = False,
) -> None:
    """Change the workspace of the credential; wants the scope ADMIN, and OPERATOR for limits.

    Fails if somebody else changes it meanwhile.

    Parameters
    ----------
    remove_target_root
        Name of a target root to forget; once for each. No output is touched.
    json
        Print it as a JSON object.
    """
    from google.protobuf.field_mask_pb2 import FieldMask

    from stardag._errors import ConfigError
    from stardag.client import connect
    from stardag.config import get_config
    from stardag.v1.workspace_service_pb2 import GetWorkspaceRequest, UpdateWorkspaceRequest

    with connect(get_config()) as client:
        workspace = client.workspaces.GetWorkspace(GetWorkspaceRequest()).workspace
        said = content.write_to(workspace)
        for name in remove_target_root or ():
            if name not in workspace.target_roots:
                raise ConfigError(f"the workspace {workspace.name!r} has no target root {name!r}")
            del workspace.target_roots[name]
        if remove_target_root:
            said.append("target_roots")
        if not said:
            raise ConfigError("say what to change: `stardag workspaces update --help` has it all")
        request = UpdateWorkspaceRequest(workspace=workspace, update_mask=FieldMask(paths=said))
        _print(client.workspaces.UpdateWorkspace(request).workspace, json=json)


def _print(workspace: Workspace, *, json: bool) -> None:
    from stardag.cli import output
    from stardag.cli.views import cells, tables

    if json:
        output.print_json(output.as_dict(workspace))
        return
    retention, limits = workspace.retention, workspace.limits
    facts = {
        "workspace": workspace.name,
        "name": workspace.display_name,
        "description": workspace.description,
        "made": cells.moment(workspace.create_time),
        **{f"target root {k}": uri for k, uri in sorted(workspace.target_roots.items())},
        "keeps builds": _kept(retention.builds),
        "keeps events": _kept(retention.events),
        "keeps asset revisions": _kept(retention.asset_revisions),
        "keeps of each name": f"the latest {retention.min_builds} builds",
        **{field.name.replace("_", " "): f"{value:,}" for field, value in limits.ListFields()},
    }
    table = tables.facts()
    for name, fact in facts.items():
        if fact:
            table.add_row(cells.line(name), cells.line(fact))
    output.console().print(table)


def _kept(how_long: Duration) -> str:
    kept = how_long.ToTimedelta()
    return f"for {kept}".removesuffix(", 0:00:00") if kept else "for ever"
