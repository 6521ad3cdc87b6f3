"""Making and ending keys: what AuthService and the command line share."""

from collections.abc import Callable, Sequence

from stardag.v1.auth_pb2 import Scope
from stardag_server.auth.keys import KeyText
from stardag_server.store.keys import Keys, NewKey
from stardag_server.store.queries import AnyRow


class Issuing:
    """Issues keys. `forget` is called when one was revoked, so that it ends here at once."""

    def __init__(self, keys: Keys, pepper: str, forget: Callable[[], None] = lambda: None) -> None:
        self.keys = keys
        self._pepper = pepper
        self._forget = forget

    async def create(
        self,
        workspace: int,
        display_name: str,
        scopes: Sequence[Scope.ValueType],
        created_by: str,
        ttl: int = 0,
    ) -> tuple[AnyRow, str]:
        """Return the row of a new key, and its text, which nobody can be told again.

        It works for `ttl` microseconds, 0 for ever. Raises QuotaExceeded.
        """
        key = KeyText.new()
        hash = key.hash(self._pepper)
        new = NewKey(key.key_id, hash, display_name, sorted({*scopes}), created_by, ttl)
        row = await self.keys.create(workspace, new)
        return row, key.reveal()

    async def revoke(self, workspace: int, key_id: str) -> AnyRow:
        """End a key, and return its row. Raises KeyNotFound."""
        row = await self.keys.revoke(workspace, key_id)
        self._forget()
        return row
