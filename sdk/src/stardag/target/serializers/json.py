"""JSON, for everything that Pydantic can describe."""

from __future__ import annotations

import math
import re
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, get_origin

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import (
    PydanticSchemaGenerationError,
    PydanticUndefinedAnnotation,
    PydanticUserError,
)
from pydantic_core import PydanticSerializationError

from stardag._errors import SerializerError
from stardag._nesting import children
from stardag.target.serializers.refusals import unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stardag.target._file import FileSystemTarget

T = TypeVar("T")


class JSONSerializer(Generic[T]):
    """A type's values as Pydantic writes them in JSON, and reads them back.

    Every value is read back before it is written: what would come back as another is refused.
    """

    def __init__(self, annotation: Any) -> None:
        """Make the serializer of a type.

        Raises `SerializerError` if Pydantic can't describe the type, JSON has not its keys, or
        its values can be read only once.
        """
        if _is_read_once(annotation):
            raise _unfit(annotation, _READ_ONCE)
        try:
            self._adapter: TypeAdapter[T] = _adapter(annotation)
        except PydanticUndefinedAnnotation as error:
            raise NameError(str(error), name=error.name) from None
        except PydanticSchemaGenerationError as error:
            raise _unfit(annotation, f"Pydantic can't describe {_culprit(error)}") from None
        except PydanticUserError as error:
            raise _unfit(annotation, error.message.rstrip(".")) from None
        if reason := _unreadable(self._adapter.core_schema):
            raise _unfit(annotation, reason)

    def dump(self, obj: T, target: FileSystemTarget[Any]) -> None:
        """Write the value as JSON.

        Raises `SerializerError` if Pydantic can't write it as the type, or what is written
        would not be read, or be read as another value.
        """
        try:
            data = self._adapter.dump_json(obj, warnings="error")
        except PydanticSerializationError as error:
            problem = f"the value can't be written: {_describe_refusal(error)}"
            raise SerializerError(f"{target.uri}: {problem}") from None
        if loss := self._loss(obj, data):
            raise SerializerError(f"{target.uri}: {loss}")
        with target.open("wb") as file:
            file.write(data)

    def _loss(self, obj: T, data: bytes) -> str | None:
        """Return what is wrong if the data stands for another value, else None."""
        from stardag.target.serializers.fidelity import first_difference

        try:
            difference = first_difference(obj, self._adapter.validate_json(data), untyped=True)
        except ValidationError as error:
            problem = f"the value could not be read back: {_describe(error)}"
        else:
            if difference is None:
                return None
            problem = (
                f"the value{difference.place} would come back as another, {difference}; annotate "
                "the output with the type that it is of"
            )
        if (place := _find_non_finite(obj)) is not None and b"null" in data:
            return (
                f"the value{place} is NaN or infinite, which its class writes as null; set "
                'ser_json_inf_nan="constants" in the class\'s model_config (or, for a dataclass, '
                "__pydantic_config__)"
            )
        return problem

    def load(self, target: FileSystemTarget[Any]) -> T:
        """Read the value.

        Raises `SerializerError` if the content is not JSON of the type.
        """
        with target.open("rb") as file:
            data = file.read()
        try:
            return self._adapter.validate_json(data)
        except ValidationError as error:
            raise unreadable(target, _describe(error)) from None

    def get_default_extension(self) -> str:
        """Return `json`."""
        return "json"


def _adapter(annotation: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(annotation, config=ConfigDict(ser_json_inf_nan="constants"))
    except PydanticUserError as error:
        if error.code != "type-adapter-config-unused":
            raise
        return TypeAdapter(annotation)  # the type is a class with a configuration of its own


_SHOWN = 3
"""Most problems of one value that an error tells."""

_UNREADABLE_KEYS = frozenset(
    {"tuple", "list", "set", "frozenset", "dict", "none", "model", "dataclass", "typed-dict"}
)


def _unreadable(schema: Any) -> str | None:
    """Return why Pydantic could not read what it writes for a schema, or None if it could."""
    if isinstance(schema, dict):
        node = cast("dict[str, Any]", schema)
        if node.get("type") == "generator":
            return _READ_ONCE
        kind = node.get("keys_schema", {}).get("type") if node.get("type") == "dict" else None
        if kind in _UNREADABLE_KEYS:
            return (
                f"in JSON, keys are text, and those of type {kind} could not be read back; use a "
                "list of pairs"
            )
        inner: Iterable[Any] = node.values()
    elif isinstance(schema, list):
        inner = cast("list[Any]", schema)
    else:
        return None
    return next(filter(None, map(_unreadable, inner)), None)


_READ_ONCE = "what an iterator yields can be read only once; return a list"


def _is_read_once(annotation: Any) -> bool:
    cls = get_origin(annotation) or annotation
    return isinstance(cls, type) and issubclass(cls, (Iterator, AsyncIterator))


def _unfit(annotation: Any, reason: str) -> SerializerError:
    name = annotation.__qualname__ if isinstance(annotation, type) else repr(annotation)
    return SerializerError(
        f"no serializer fits the output type {name}: {reason}. Name one as "
        f"Annotated[{name}, SomeSerializer()], or register one with "
        "stardag.target.serialize.register_serializer"
    )


def _culprit(error: PydanticSchemaGenerationError) -> str:
    found = re.search(r"schema for (.+?)\. ", error.message)
    return found[1] if found else "it"


def _describe(error: ValidationError) -> str:
    """Return the first problems in one line: of a large value there may be very many."""
    problems = error.errors(include_url=False, include_context=False)
    shown = [f"{_place(problem['loc'])}{problem['msg']}" for problem in problems[:_SHOWN]]
    more = [f"and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
    return "; ".join(shown + more)


def _place(loc: tuple[int | str, ...]) -> str:
    return f"{'.'.join(map(str, loc))}: " if loc else ""


def _describe_refusal(error: PydanticSerializationError) -> str:
    """Return Pydantic's complaint, or of a list of them the first, in one line."""
    text = str(error)
    if found := re.search(r"\((Expected .+?) - serialized value .+? (\[.*)\)", text):
        return f"{found[1]} {found[2]}"
    return text.partition("\n")[0]


def _find_non_finite(value: Any, path: str = "") -> str | None:
    """Return the path of the first NaN or infinity, or None."""
    if isinstance(value, float):
        return None if math.isfinite(value) else path
    for key, item in children(value) or ():
        if (found := _find_non_finite(item, f"{path}[{key!r}]")) is not None:
            return found
    return None
