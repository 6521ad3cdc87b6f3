"""Values that write and read themselves."""

from __future__ import annotations

from inspect import getattr_static
from typing import TYPE_CHECKING, Any

from stardag.target.serializers.refusals import wrong_type

if TYPE_CHECKING:
    from stardag.target._file import FileSystemTarget
    from stardag.target._protocols import SelfSerializing


class SelfSerializer:
    """The serializer of a class that has a method `dump` and a class method `load`."""

    def __init__(self, cls: type[SelfSerializing]) -> None:
        """Make the serializer of `cls`."""
        self._cls = cls

    @staticmethod
    def fits(candidate: type) -> bool:
        """Return whether `candidate` is such a class."""
        return callable(getattr_static(candidate, "dump", None)) and isinstance(
            getattr_static(candidate, "load", None), classmethod
        )

    def dump(self, obj: SelfSerializing, target: FileSystemTarget[Any]) -> None:
        """Let the value write itself."""
        if not isinstance(obj, self._cls):
            raise wrong_type(target, f"a {self._cls.__qualname__}", obj)
        obj.dump(target)

    def load(self, target: FileSystemTarget[Any]) -> SelfSerializing:
        """Let the class read one."""
        return self._cls.load(target)

    def get_default_extension(self) -> None:
        """Return None: what the class writes is its own affair."""
