"""JSON, for everything that Pydantic can describe."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import (
    PydanticSchemaGenerationError,
    PydanticUndefinedAnnotation,
    PydanticUserError,
)
from pydantic_core import PydanticSerializationError

from stardag._errors import SerializerError
from stardag._nesting import children

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stardag.target._file import FileSystemTarget

T = TypeVar("T")


class JSONSerializer(Generic[T]):
    """A type's values as Pydantic writes them in JSON, and reads them back.

    The type decides what comes back: with `Any`, or a union of types that look alike in JSON, such
    as `date | str`, that may be another value than was written.
    """

    def __init__(self, annotation: Any) -> None:
        """Make the serializer of a type.

        Raises `SerializerError` if Pydantic can't describe the type, or JSON not its keys.
        """
        try:
            self._adapter: TypeAdapter[T] = _adapter(annotation)
        except PydanticUndefinedAnnotation as error:
            raise NameError(str(error), name=error.name) from None
        except PydanticSchemaGenerationError:
            name = getattr(annotation, "__qualname__", repr(annotation))
            raise SerializerError(
                f"no serializer fits the output type {name}: Pydantic can't describe it. Name one "
                f"as Annotated[{name}, SomeSerializer()], or register one with "
                "stardag.target.serialize.register_serializer"
            ) from None
        if key := _unreadable_key(self._adapter.core_schema):
            raise SerializerError(
                f"no serializer fits the output type {annotation!r}: in JSON, keys are text, and "
                f"those of type {key} could not be read back; use a list of pairs, or name a "
                "serializer as Annotated[..., SomeSerializer()]"
            )

    def dump(self, obj: T, target: FileSystemTarget[Any]) -> None:
        """Write the value as JSON.

        Raises `SerializerError` if Pydantic can't write it as the type, or would lose a NaN
        or an infinity in it or refuse to read it.
        """
        try:
            data = self._adapter.dump_json(obj, warnings="error")
        except PydanticSerializationError as error:
            raise SerializerError(f"{target.uri}: the value can't be written: {error}") from None
        if b"null" in data and (place := _find_non_finite(obj)) is not None:
            raise SerializerError(
                f"{target.uri}: the value{place} is NaN or infinite, which its class writes as "
                'null; set ser_json_inf_nan="constants" in the class\'s model_config (or, for a '
                "dataclass, __pydantic_config__)"
            )
        if b"NaN" in data or b"Infinity" in data:
            self._read(data, f"{target.uri}: the value could not be read back")
        with target.open("wb") as file:
            file.write(data)

    def load(self, target: FileSystemTarget[Any]) -> T:
        """Read the value.

        Raises `SerializerError` if the content is not JSON of the type.
        """
        with target.open("rb") as file:
            data = file.read()
        return self._read(data, f"{target.uri} can't be read")

    def _read(self, data: bytes, complaint: str) -> T:
        try:
            return self._adapter.validate_json(data)
        except ValidationError as error:
            raise SerializerError(f"{complaint}: {error}") from None

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


_UNREADABLE_KEYS = frozenset(
    {"tuple", "list", "set", "frozenset", "dict", "none", "model", "dataclass", "typed-dict"}
)


def _unreadable_key(schema: Any) -> str | None:
    """Return the kind of a dict's keys that Pydantic writes as text and can't read, or None."""
    if isinstance(schema, dict):
        node = cast("dict[str, Any]", schema)
        kind = node.get("keys_schema", {}).get("type") if node.get("type") == "dict" else None
        if kind in _UNREADABLE_KEYS:
            return kind
        inner: Iterable[Any] = node.values()
    elif isinstance(schema, list):
        inner = cast("list[Any]", schema)
    else:
        return None
    return next(filter(None, map(_unreadable_key, inner)), None)


def _find_non_finite(value: Any, path: str = "") -> str | None:
    """Return the path of the first NaN or infinity, or None."""
    if isinstance(value, float):
        return None if math.isfinite(value) else path
    for key, item in children(value) or ():
        if (found := _find_non_finite(item, f"{path}[{key!r}]")) is not None:
            return found
    return None
