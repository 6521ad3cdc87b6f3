"""AutoTask: a task whose output is placed by its id and serialized by its type."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from stardag._declaration import misdeclared
from stardag._identified import id_text
from stardag._task import BaseTask, Task
from stardag.target import FileSystemTarget, TargetFactory, target_factory_provider
from stardag.target._protocols import Serializer
from stardag.target.serialize import get_serializer

T = TypeVar("T")

if TYPE_CHECKING:

    def place(part: Callable[[Any], str]) -> Any:
        """Make a property which a subclass may replace by a plain value as well."""

else:
    place = property


class AutoTask(Task[FileSystemTarget[T]], ABC, Generic[T]):
    """A task whose output loads as T, at a path that its id gives.

    Relative to its target root, the output is at

        [base/][namespace/as/folders/]name/[v<version>/][extra/]<id[0:2]>/<id[2:4]>/<id>
        [/<filename>][.<extension>]

    Override the properties below, by properties or by plain values, to change a part; a full
    path or a URI as `_relpath` is used as it is.
    """

    _loads: ClassVar[Any] = None
    _serializer: ClassVar[Serializer[Any] | None] = None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        _take_plain_places(cls)
        cls._loads = _type_argument(cls)
        if not isinstance(cls._loads, TypeVar) and not getattr(cls._loads, "__parameters__", ()):
            try:
                cls._serializer = get_serializer(cls._loads)
            except NameError:  # a type defined further down: found when it is needed
                cls._serializer = None

    @place
    def _target_root_key(self) -> str:
        """Name of the target root; `default` unless overridden."""
        return "default"

    @place
    def _relpath_base(self) -> str:
        """Folders above everything else."""
        return ""

    @place
    def _relpath_extra(self) -> str:
        """Folders between the name and the id."""
        return ""

    @place
    def _relpath_filename(self) -> str:
        """Name of the file in a folder of its own; none by default."""
        return ""

    @place
    def _relpath_extension(self) -> str:
        """Extension of the file, with or without its dot; by default the serializer's."""
        return self._output_serializer().get_default_extension() or ""

    @place
    def _relpath(self) -> str:
        """Path of the output below the target root."""
        key = id_text(self)
        parts = (
            self._relpath_base,
            self.get_namespace().replace(".", "/"),
            self.get_name(),
            f"v{self.version}" if self.version else "",
            self._relpath_extra,
            key[:2],
            key[2:4],
            key,
            self._relpath_filename,
        )
        extension = self._relpath_extension
        try:
            path = "/".join(filter(None, parts))
        except TypeError:
            (wrong, *_) = (part for part in parts if part and not isinstance(part, str))
            raise TypeError(f"a part of the path of {self!r} is no text: {wrong!r}") from None
        return f"{path}.{extension.removeprefix('.')}" if extension else path

    def output(self) -> FileSystemTarget[T]:
        """Return the target at the task's path.

        Raises `ConfigError` if the target root is not configured.
        """
        factory = target_factory_provider.get()
        placed = _known_place(self)
        if placed is None or placed[0] is not factory:
            serializer = self._output_serializer()
            target = factory.get_target(self._relpath, self._target_root_key, serializer)
            placed = (factory, target)
            object.__setattr__(self, "_placed", placed)
        return placed[1]

    @classmethod
    def _output_serializer(cls) -> Serializer[Any]:
        if cls._serializer is None:
            cls._serializer = get_serializer(cls._loads)
        return cls._serializer


def _known_place(task: AutoTask[Any]) -> tuple[TargetFactory, FileSystemTarget[Any]] | None:
    """Return the target that was made last, and by whom: a build asks for it four times."""
    try:
        return _read_slot(task)
    except AttributeError:
        return None


# Read by its descriptor: Pydantic's __getattr__ makes an empty slot cost a microsecond.
_read_slot: Callable[[BaseTask], tuple[TargetFactory, FileSystemTarget[Any]]] = BaseTask.__dict__[
    "_placed"
].__get__

_PLACES = frozenset(n for n in vars(AutoTask) if n.startswith("_relpath")) | {"_target_root_key"}


def _take_plain_places(cls: type[AutoTask[Any]]) -> None:
    """Let `_relpath_base = "x"` in a class body do what a property would."""
    for name in _PLACES & cls.__private_attributes__.keys():
        value = cls.__private_attributes__.pop(name).get_default()
        if not isinstance(value, str):
            raise misdeclared(cls, f"{name} must be text, not {value!r}")
        setattr(cls, name, property(lambda self, value=value: value))


def _type_argument(cls: type[AutoTask[Any]]) -> Any:
    """Return what T is in `cls`; a type variable, or a type with some, where it is open."""
    argument: Any = T
    for base in reversed(cls.__mro__):
        metadata: Any = base.__dict__.get("__pydantic_generic_metadata__")
        if not metadata or metadata["origin"] is None:
            continue
        parameters = metadata["origin"].__pydantic_generic_metadata__["parameters"]
        argument = _substitute(argument, dict(zip(parameters, metadata["args"], strict=True)))
    return argument


def _substitute(annotation: Any, bound: dict[Any, Any]) -> Any:
    if isinstance(annotation, TypeVar):
        return bound.get(annotation, annotation)
    open_parameters: tuple[Any, ...] = getattr(annotation, "__parameters__", ())
    if not any(parameter in bound for parameter in open_parameters):
        return annotation
    return annotation[tuple(bound.get(p, p) for p in open_parameters)]
