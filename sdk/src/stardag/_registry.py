"""Which class a namespace and name stand for.

Types are only ever resolved against classes that the program has imported: nothing is
imported, unpickled or evaluated because some data names it.
"""

from __future__ import annotations

import gc
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from stardag._errors import TaskDefinitionError, TypeNameTakenError, UnknownTypeError

if TYPE_CHECKING:
    from collections.abc import Generator

NAMESPACE_KEY = "__namespace"
NAME_KEY = "__name"

_module_namespaces: dict[str, str] = {}
_defining_modules: dict[str, None] = {}


def namespace(name: str, module: str) -> None:
    """Set the namespace of the tasks that a module, or a package and all below it, defines.

    Call it above the definitions, as `namespace("team.models", __name__)`. The nearest
    setting counts: one for the module itself, else one for its parent package, and so on.
    """
    check_namespace(name)
    _module_namespaces[module] = name


def check_namespace(name: object) -> None:
    """Raise `TaskDefinitionError` for what can't be a namespace: it becomes folders."""
    if not isinstance(name, str) or not all(map(_WORD.fullmatch, name.split(".") if name else ())):
        raise TaskDefinitionError(
            f"{name!r} is not a namespace: it must be words joined by dots, or empty"
        )


_WORD = re.compile(r"[\w-]+")


def check_name(name: object) -> None:
    """Raise `TaskDefinitionError` for what can't be a type's name: it becomes folders.

    A slash parts them, as in the published releases.
    """
    if (
        not isinstance(name, str)
        or not name.isprintable()
        or "\\" in name
        or not all(part.strip(" .") for part in name.split("/"))
    ):
        raise TaskDefinitionError(
            f"{name!r} is not a name for a type: it must be printable text that can name a folder, "
            "or several joined by '/'"
        )


def auto_namespace(module: str) -> None:
    """Use the module's own dotted path as the namespace of its tasks; pass `__name__`."""
    namespace(module, module)


def module_namespace(module: str) -> str:
    """Return the namespace set for the module or the nearest package around it, or ""."""
    while module:
        if (found := _module_namespaces.get(module)) is not None:
            return found
        module = module.rpartition(".")[0]
    return ""


def defining_modules() -> tuple[str, ...]:
    """Return the modules that have defined a type of any family, in the order of definition."""
    return tuple(_defining_modules)


class TypeRegistry:
    """The classes of one polymorphic family by namespace and name.

    Classes are held weakly: one that nothing else uses frees its name.
    """

    def __init__(self, family: str) -> None:
        """Make an empty registry; `family` is what errors call it."""
        self._family = family
        self._types: WeakValueDictionary[tuple[str, str], type[Any]] = WeakValueDictionary()

    def add(self, cls: type[Any], namespace: str, name: str) -> None:
        """Register a class.

        The same definition executed again (a notebook cell, a reloaded module) takes the
        place of its older self. Raises `TypeNameTakenError` if another class has the name.
        """
        key = (namespace, name)
        if self._is_other(self._types.get(key), cls):
            gc.collect()  # a class lives in reference cycles: the other may be dead already
        if self._is_other(other := self._types.get(key), cls):
            assert other is not None
            raise TypeNameTakenError(
                f"{_where(cls)} can't be the {self._family} {_qualified(namespace, name)}: "
                f"that name is taken by {_where(other)}. Rename one, or give it another "
                "name or namespace (name_override=..., namespace_override=...)"
            )
        self._types[key] = cls
        _defining_modules[cls.__module__] = None

    @staticmethod
    def _is_other(known: type[Any] | None, cls: type[Any]) -> bool:
        # A definition inside of a function may be one of many, each with its own closure.
        same = known is not None and _where(known) == _where(cls) and "<locals>" not in _where(cls)
        return known is not None and not same

    def knows(self, namespace: object, name: object) -> bool:
        """Return whether an imported class has the name."""
        known = self._types
        return isinstance(namespace, str) and isinstance(name, str) and (namespace, name) in known

    def resolve(self, namespace: object, name: object) -> type[Any]:
        """Return the class.

        Raises `UnknownTypeError` if no imported class has the name.
        """
        if not (isinstance(namespace, str) and isinstance(name, str)):
            raise UnknownTypeError(
                f"{NAMESPACE_KEY!r} and {NAME_KEY!r} must be text, not {namespace!r} and {name!r}"
            )
        found = self._types.get((namespace, name))
        if found is None:
            known = sorted(_qualified(*key) for key in self._types)
            alike = [k for k in known if k.endswith(name)] or known[:10]
            raise UnknownTypeError(
                f"there is no {self._family} {_qualified(namespace, name)}: import the module "
                f"that defines it first (known: {', '.join(alike) or 'none'})"
            )
        return found

    @contextmanager
    def isolated(self) -> Generator[None]:
        """Know no types at the beginning of a `with` block, and after it those from before."""
        known, self._types = self._types, WeakValueDictionary()
        try:
            yield
        finally:
            self._types = known


def _qualified(namespace: str, name: str) -> str:
    return f"{namespace}.{name}" if namespace else name


def _where(cls: type[Any]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
