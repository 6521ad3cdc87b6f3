"""A type's name and namespace, and a task's version, are in its id and in its path."""

from programs import spaced
from programs.dialect import AutoTask, Cases, Made
from programs.spaced import deeper, own


class Direct(AutoTask[int]):
    a: int = 1

    def run(self) -> None: ...


class Plain(Made[int]):
    a: int = 1


class Overridden(Made[int], name_override="Name", namespace_override="name.space"):
    a: int = 1


class WithFolders(Made[int], name_override="name/with.a/slash"):
    a: int = 1


class OfOverridden(Overridden):
    b: int = 1


class ByAttribute(Made[int]):
    __namespace__ = "by.attribute"
    a: int = 1


class OfByAttribute(ByAttribute):
    b: int = 1


class OverriddenAttribute(Made[int], namespace_override="override"):
    __namespace__ = "attribute"


class Versioned(Made[int]):
    __version__ = "3"
    a: int = 1


class VersionField(Made[int]):
    version: str = "4"
    a: int = 1


class Outer:
    class Inner(Made[int]):
        a: int = 1


def make_local() -> object:
    class Local(Made[int]):
        a: int = 1

    return Local()


CASES: Cases = {
    "a class": lambda: Direct(),
    "a class derived from a class of one's own": lambda: Plain(),
    "a class with another name and namespace": lambda: Overridden(),
    "a name with slashes": lambda: WithFolders(),
    "a class derived from one with another name": lambda: OfOverridden(),
    "a namespace by attribute": lambda: ByAttribute(),
    "a namespace by inherited attribute": lambda: OfByAttribute(),
    "a namespace by override and attribute": lambda: OverriddenAttribute(),
    "a version given": lambda: Plain(version="2"),
    "an awkward version": lambda: Plain(version="1.0-é b"),
    "the version of a class": lambda: Versioned(),
    "a version of a class given": lambda: Versioned(version="3"),
    "a version field": lambda: VersionField(),
    "a class in a class": lambda: Outer.Inner(),
    "a class in a function": make_local,
    "a namespace by package": lambda: spaced.InPackage(),
    "a namespace by the package around": lambda: deeper.InModule(),
    "a namespace by the module's own": lambda: own.InOwn(),
    "a namespace by the module's path": lambda: spaced.auto.InAuto(),
    "a function in a namespace": lambda: deeper.function(a=1),
    "an attribute in a namespaced module": lambda: deeper.WithAttribute(),
    "an override in a namespaced module": lambda: deeper.WithOverride(),
}
