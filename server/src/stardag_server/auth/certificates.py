"""Programs, by the certificates that they connect with.

A file in TOML says who they are, by a URI (such as a SPIFFE id) or the common name in the
certificate; what is not in it proves nothing:

    ["spiffe://example.com/nightly"]
    workspace = "search"
    scopes = ["ingest"]
"""

import logging
import tomllib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from stardag.v1.auth_pb2 import Scope
from stardag_server.auth.principal import Principal
from stardag_server.domain.refusals import CredentialInvalid, CredentialMissing
from stardag_server.domain.scopes import held
from stardag_server.settings import SettingInvalid, Settings
from stardag_server.store.store import DEFAULT_WORKSPACE, Store

_log = logging.getLogger(__name__)

_SCOPES = {name.removeprefix("SCOPE_").lower(): value for name, value in Scope.items() if value}


def owners(loaded: Settings, store: Store) -> "CertificateOwners | None":
    """Return who is known by a certificate by the settings, None if they name no file.

    Raises SettingInvalid.
    """
    if loaded.tls_principals is None:
        return None
    return CertificateOwners(read_owners(loaded.tls_principals), store.workspaces.find)


@dataclass(frozen=True, slots=True)
class Owner:
    """What the owner of a certificate may do, and where."""

    workspace: str
    scopes: frozenset[Scope.ValueType]


class CertificateOwners:
    """Knows programs by the names in their certificates."""

    def __init__(
        self,
        owners: Mapping[str, Owner],
        find_workspace: Callable[[str], Awaitable[int | None]],
    ) -> None:
        self._owners = owners
        self._find_workspace = find_workspace
        # A workspace keeps its name and its key for ever.
        self._workspaces: dict[str, int] = {}

    async def principal(self, names: Sequence[str]) -> Principal:
        """Return whom the first of these names is known as.

        Raises CredentialMissing if none is, and CredentialInvalid if there is no such workspace.
        """
        for name in names:
            if (owner := self._owners.get(name)) is not None:
                key = await self._workspace(owner.workspace)
                return Principal(key, owner.workspace, f"certificate:{name}", owner.scopes)
        raise CredentialMissing

    async def _workspace(self, name: str) -> int:
        if name not in self._workspaces:
            found = await self._find_workspace(name)
            if found is None:
                _log.warning("a certificate was refused: there is no workspace %r", name)
                raise CredentialInvalid
            self._workspaces[name] = found
        return self._workspaces[name]


def read_owners(file: Path) -> dict[str, Owner]:
    """Return what a file says, by the name in the certificate. Raises SettingInvalid."""
    try:
        entries = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SettingInvalid(f"tls_principals = {str(file)!r}: can't be read: {error}") from None
    return {name: _owner(file, name, entry) for name, entry in entries.items()}


def _owner(file: Path, name: str, entry: object) -> Owner:
    place = f"tls_principals = {str(file)!r}: {name!r}"
    if not isinstance(entry, dict):
        raise SettingInvalid(f'{place}: must be a table, ["{name}"], with scopes and a workspace')
    given = cast(dict[str, Any], entry)
    if unknown := given.keys() - {"workspace", "scopes"}:
        raise SettingInvalid(f"{place}: has {min(unknown)!r}; there are workspace and scopes")
    workspace: object = given.get("workspace", DEFAULT_WORKSPACE)
    scopes: object = given.get("scopes")
    if not isinstance(workspace, str):
        raise SettingInvalid(f"{place}: workspace must be the name of one")
    names = [str(each) for each in cast(list[object], scopes)] if isinstance(scopes, list) else []
    if not names or not _SCOPES.keys() >= {*names}:
        raise SettingInvalid(f"{place}: scopes must be a list of {', '.join(_SCOPES)}")
    return Owner(workspace, held(_SCOPES[each] for each in names))
