"""What is below the target roots."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from stardag._errors import StardagError
from stardag.config import get_config
from stardag.target import target_factory_provider

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stardag.target import Store

_HEX = "[0-9a-f]"
# <id[0:2]>/<id[2:4]>/<id>, as outputs are placed; a file that is being written begins with a dot.
_PLACE = re.compile(
    rf"(?:^|/)({_HEX}{{2}})/({_HEX}{{2}})/\.?"
    rf"(\1\2{_HEX}{{4}}-{_HEX}{{4}}-5{_HEX}{{3}}-[89ab]{_HEX}{{3}}-{_HEX}{{12}})(?=[./]|$)"
)


@dataclass(frozen=True, slots=True)
class Root:
    """A target root: where outputs are."""

    name: str
    store: Store
    path: str

    @property
    def uri(self) -> str:
        """The root as objects below it are called."""
        return self.store.uri(self.path)

    def is_within(self, other: Root) -> bool:
        """Return whether all that is below this root is below another one."""
        return self.store is other.store and self.path.startswith(f"{other.path}/")


@dataclass(frozen=True, slots=True)
class RootObject:
    """An object below a target root."""

    root: Root
    path: str
    size_bytes: int
    modified: float
    """Seconds since the epoch."""

    @property
    def uri(self) -> str:
        """What the object is called outside the process."""
        return self.root.store.uri(self.path)

    @property
    def task_id(self) -> str | None:
        """The task whose output the object is, or is part of, by its place; None if it has none.

        An output within the place of another's is that of the inner one.
        """
        places = _PLACE.findall(self.path.removeprefix(self.root.path))
        return places[-1][2] if places else None

    def as_dict(self) -> dict[str, Any]:
        """Return what JSON has of it."""
        return {
            "uri": self.uri,
            "root": self.root.name,
            "task_id": self.task_id,
            "size_bytes": self.size_bytes,
            "modify_time": datetime.fromtimestamp(self.modified, UTC).isoformat(),
        }


def configured_roots(names: Sequence[str] | None) -> list[Root]:
    """Return the roots of these names; without any, all that are configured.

    Raises `ConfigError` for a name that there is not.
    """
    factory = target_factory_provider.get()
    # the default is where it is, configured or not
    wanted = list(dict.fromkeys(names or ("default", *get_config().target_roots)))
    folders = {name: factory.get_directory_target("", name) for name in wanted}
    roots = {each.uri: Root(name, each.store, each.path) for name, each in folders.items()}
    return list(roots.values())  # a place with two names once


def objects_below(roots: Sequence[Root]) -> Iterator[RootObject]:
    """Yield every object below the roots once, one root after the other.

    Raises `ConfigError` for a root whose store can't list, and `StardagError` for one that can't
    be read.
    """
    for root in roots:
        if any(root.is_within(other) for other in roots):
            continue
        try:
            for each in root.store.list_objects(root.path):
                yield RootObject(root, each.path, each.size, each.modified)
        except OSError as error:
            raise StardagError(f"the target root {root.uri} can't be listed: {error}") from None
