"""JSON, for everything that Pydantic can describe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError, PydanticUndefinedAnnotation
from pydantic_core import PydanticSerializationError

from stardag._errors import SerializerError

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
            self._adapter: TypeAdapter[T] = TypeAdapter(annotation)
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

        Raises `SerializerError` if it is not a value of the type.
        """
        try:
            data = self._adapter.dump_json(obj, warnings="error")
        except PydanticSerializationError as error:
            raise SerializerError(f"{target.uri}: the value can't be written: {error}") from None
        with target.open("wb") as file:
            file.write(data)

    def load(self, target: FileSystemTarget[Any]) -> T:
        """Read the value."""
        with target.open("rb") as file:
            return self._adapter.validate_json(file.read())

    def get_default_extension(self) -> str:
        """Return `json`."""
        return "json"
