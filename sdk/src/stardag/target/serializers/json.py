"""JSON, for everything that Pydantic can describe."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Generic, TypeVar

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
    from stardag.target._file import FileSystemTarget

T = TypeVar("T")


class JSONSerializer(Generic[T]):
    """A type's values as Pydantic writes them in JSON, and reads them back."""

    def __init__(self, annotation: Any) -> None:
        """Make the serializer of a type.

        Raises `SerializerError` if Pydantic can't describe the type.
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

    def dump(self, obj: T, target: FileSystemTarget[Any]) -> None:
        """Write the value as JSON.

        Raises `SerializerError` if Pydantic can't write it as the type, or would lose a NaN
        or an infinity in it.
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
        with target.open("wb") as file:
            file.write(data)

    def load(self, target: FileSystemTarget[Any]) -> T:
        """Read the value.

        Raises `SerializerError` if the content is not JSON of the type.
        """
        with target.open("rb") as file:
            data = file.read()
        try:
            return self._adapter.validate_json(data)
        except ValidationError as error:
            raise SerializerError(f"{target.uri} can't be read: {error}") from None

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


def _find_non_finite(value: Any, path: str = "") -> str | None:
    """Return the path of the first NaN or infinity, or None."""
    if isinstance(value, float):
        return None if math.isfinite(value) else path
    for key, item in children(value) or ():
        if (found := _find_non_finite(item, f"{path}[{key!r}]")) is not None:
            return found
    return None
