"""Targets that are objects in a store, and their existence, one by one or many at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stardag.target._protocols import Target
    from stardag.target._store import Store


class StoredTarget:
    """A place in a store. Targets of one place are equal."""

    __slots__ = ("evidence", "path", "store")

    def __init__(self, store: Store, path: str, evidence: str | None = None) -> None:
        """Make the target of `path` in `store`.

        It exists if there is an object at `evidence`, which is `path` unless given.
        """
        self.store = store
        self.path = path
        self.evidence = evidence or path

    @property
    def uri(self) -> str:
        """Where the target is: a path or a URI."""
        return self.store.uri(self.path)

    def exists(self) -> bool:
        """Return whether the target is there, which means the whole of it."""
        if self.store.exists(self.evidence):
            return True
        substitutes = self.substitutes()
        return bool(substitutes) and any(map(self.store.exists, substitutes))

    async def exists_aio(self) -> bool:
        """Do as `exists`, in a thread."""
        import asyncio

        return await asyncio.to_thread(self.exists)

    def substitutes(self) -> Sequence[str]:
        """Return the paths of objects, any of which will do where the evidence is missing."""
        return ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoredTarget) and self.uri == other.uri

    def __hash__(self) -> int:
        return hash(self.uri)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.uri!r})"


def exists_many(targets: Sequence[Target]) -> list[bool]:
    """Return for each target whether it exists, in the order of the targets.

    Each store is asked for all of its objects at once, so that it can answer in bulk; targets
    that are no objects in a store are asked one after another.
    """
    found = [False] * len(targets)
    by_store: dict[Store, list[tuple[int, StoredTarget]]] = {}
    for i, target in enumerate(targets):
        if isinstance(target, StoredTarget):
            by_store.setdefault(target.store, []).append((i, target))
        else:
            found[i] = target.exists()
    for store, asked in by_store.items():
        answers = store.exists_many([target.evidence for _, target in asked])
        missing: list[tuple[int, str]] = []
        for (i, target), answer in zip(asked, answers, strict=True):
            found[i] = answer
            if not answer:
                missing += [(i, substitute) for substitute in target.substitutes()]
        if missing:
            answers = store.exists_many([substitute for _, substitute in missing])
            for (i, _), answer in zip(missing, answers, strict=True):
                found[i] |= answer
    return found
