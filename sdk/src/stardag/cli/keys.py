"""`stardag keys`: credentials for programs, by a server that is asked over gRPC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter
from cyclopts.validators import Number

from stardag.cli.options import Json, Switch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stardag.v1.auth_pb2 import Key, Scope

keys = App(name="keys", help="Make, list and end keys; wants a credential with the scope ADMIN.")

Scopes = Annotated[
    list[Literal["ingest", "read", "admin", "operator"]], Parameter(name="--scope", negative="")
]


@keys.command
def create(
    name: str,
    /,
    *,
    scope: Scopes,
    days: Annotated[int, Parameter(validator=Number(gte=0, lte=36_500))] = 0,
    workspace: str = "",
    json: Json = False,
) -> None:
    """Make a key and print it, this once: nobody can show it again.

    Parameters
    ----------
    name
        What the key is for, for people.
    scope
        What it may do; once for each.
    days
        Days for which it works; 0 for ever.
    workspace
        Workspace to make it in, by default the caller's own; wants the scope OPERATOR.
    json
        Print a JSON object with `key` and `secret`.
    """
    import sys
    from datetime import timedelta

    from google.protobuf.duration_pb2 import Duration

    from stardag.cli import output
    from stardag.client import connect
    from stardag.config import get_config
    from stardag.v1.auth_pb2 import Scope
    from stardag.v1.auth_service_pb2 import CreateKeyRequest

    request = CreateKeyRequest(
        display_name=name,
        scopes=[Scope.Value(f"SCOPE_{each.upper()}") for each in scope],
        workspace=workspace,
    )
    if days:
        lifetime = Duration()
        lifetime.FromTimedelta(timedelta(days=days))
        request.ttl.CopyFrom(lifetime)
    with connect(get_config()) as client:
        made = client.auth.CreateKey(request)
    if json:
        output.print_json({"key": output.as_dict(made.key), "secret": made.secret})
        return
    print(made.secret)
    print(f"key {made.key.key_id}; it is not shown again", file=sys.stderr)


@keys.command(name="list")
def list_keys(*, ended: Switch = False, json: Json = False) -> None:
    """List the keys of the workspace, newest first.

    Parameters
    ----------
    ended
        Also those that were revoked or have expired.
    json
        Print a JSON array.
    """
    from stardag.cli import output
    from stardag.client import connect, rows
    from stardag.config import get_config
    from stardag.v1.auth_service_pb2 import ListKeysRequest

    with connect(get_config()) as client:
        request = ListKeysRequest(show_ended=ended, page_size=1000)
        found = list(rows(client.auth.ListKeys, request, lambda page: page.keys))
    if json:
        output.print_json([output.as_dict(key) for key in found])
    else:
        _print_table(found)


@keys.command
def revoke(key_id: str, /, *, json: Json = False) -> None:
    """End a key, within 30 s on all servers and on open streams too.

    Parameters
    ----------
    key_id
        Id of the key, as `stardag keys list` shows it.
    json
        Print the key as a JSON object.
    """
    from stardag.cli import output
    from stardag.client import connect
    from stardag.config import get_config
    from stardag.v1.auth_service_pb2 import RevokeKeyRequest

    with connect(get_config()) as client:
        key = client.auth.RevokeKey(RevokeKeyRequest(key_id=key_id)).key
    if json:
        output.print_json(output.as_dict(key))
    else:
        print(f"{key.key_id} is revoked")


def scope_words(scopes: Sequence[Scope.ValueType]) -> str:
    """Return scopes as they are asked for; one of a newer server as its number."""
    from stardag.v1.auth_pb2 import Scope

    names = {value.number: value.name for value in Scope.DESCRIPTOR.values}
    words = (names.get(each, str(each)).removeprefix("SCOPE_").lower() for each in scopes)
    return ", ".join(words)


def _print_table(found: Sequence[Key]) -> None:
    from stardag.cli import output
    from stardag.cli.views import cells, tables

    if not found:
        output.note("there are no keys")
        return
    table = tables.rows()
    for column in ("KEY", "SCOPES", "NAME"):
        table.add_column(column, overflow="fold", no_wrap=column == "KEY")
    for column in ("MADE", "USED", "ENDS", "REVOKED"):
        table.add_column(column, no_wrap=True)
    for key in found:
        moments = (key.create_time, key.last_used_time, key.expire_time, key.revoke_time)
        shown = [cells.moment(moment, short=not output.is_wide()) for moment in moments]
        name = cells.line(key.display_name)
        table.add_row(key.key_id, scope_words(key.scopes), name, *shown)
    output.console().print(table)
