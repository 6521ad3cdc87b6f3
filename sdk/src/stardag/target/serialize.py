"""Serializers, and which of them a type gets.

`Annotated[T, SomeSerializer()]` always decides. Else, the first that fits: a serializer
registered for the type, text for `str`, bytes for `bytes`, Parquet for pandas data frames,
JSON for whatever Pydantic can describe. There is no silent pickle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

from stardag.target._protocols import Serializer
from stardag.target.serializers.frames import PandasParquetSerializer
from stardag.target.serializers.json import JSONSerializer
from stardag.target.serializers.text import BytesSerializer, PlainTextSerializer

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "BytesSerializer",
    "JSONSerializer",
    "PandasParquetSerializer",
    "PlainTextSerializer",
    "Serializer",
    "get_serializer",
    "register_serializer",
]

_registered: dict[type, Callable[[], Serializer[Any]]] = {}


def register_serializer(cls: type, factory: Callable[[], Serializer[Any]]) -> None:
    """Use the serializer that `factory` makes for outputs of exactly the type `cls`."""
    _registered[cls] = factory


def get_serializer(annotation: Any) -> Serializer[Any]:
    """Return the serializer for values of a type.

    Raises `SerializerError`, naming the type and the ways out, if none fits, and
    `NameError` if the type has a forward reference that can't be resolved yet.
    """
    if get_origin(annotation) is Annotated:
        annotated, *metadata = get_args(annotation)
        chosen = [m for m in metadata if _is_serializer(m)]
        return chosen[-1] if chosen else get_serializer(annotated)
    if isinstance(annotation, type) and annotation in _registered:
        return _registered[annotation]()
    if annotation is str:
        return PlainTextSerializer()
    if annotation is bytes:
        return BytesSerializer()
    if PandasParquetSerializer.fits(annotation):
        return PandasParquetSerializer()
    return JSONSerializer(annotation)


def _is_serializer(value: Any) -> bool:
    return all(hasattr(value, name) for name in ("dump", "load", "get_default_extension"))
