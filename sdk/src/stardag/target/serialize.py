"""Serializers, and which of them a type gets.

`Annotated[T, SomeSerializer()]` always decides. Else, the first that fits: a serializer
registered for the type or a base of it; the type's own `dump` and `load`; text for `str`,
Parquet for data frames and series of pandas and polars, `.npy` for numpy arrays; JSON for `bytes`
and whatever Pydantic can describe. There is no silent pickle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NewType, cast, get_args, get_origin

from stardag._errors import SerializerError
from stardag.target._protocols import SelfSerializing, Serializer
from stardag.target.serializers.json import JSONSerializer
from stardag.target.serializers.numpy import NumpySerializer
from stardag.target.serializers.own import SelfSerializer
from stardag.target.serializers.pandas import (
    PandasCSVSerializer,
    PandasParquetSerializer,
    PandasSeriesSerializer,
)
from stardag.target.serializers.pickle import PickleSerializer
from stardag.target.serializers.polars import (
    PolarsCSVSerializer,
    PolarsParquetSerializer,
    PolarsSeriesSerializer,
)
from stardag.target.serializers.text import (
    BytesSerializer,
    JSONBytesSerializer,
    PlainTextSerializer,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "BytesSerializer",
    "JSONBytesSerializer",
    "JSONSerializer",
    "NumpySerializer",
    "PandasCSVSerializer",
    "PandasDataFrameCSVSerializer",
    "PandasParquetSerializer",
    "PandasSeriesSerializer",
    "PickleSerializer",
    "PlainTextSerializer",
    "PolarsCSVSerializer",
    "PolarsParquetSerializer",
    "PolarsSeriesSerializer",
    "SelfSerializer",
    "SelfSerializing",
    "Serializer",
    "get_serializer",
    "register_serializer",
]

PandasDataFrameCSVSerializer = PandasCSVSerializer
"""The name in the 0.1 series."""

_registered: dict[type, Callable[[Any], Serializer[Any]]] = {}

# By package and name, so that no library is imported that the program doesn't use.
_of_libraries: dict[tuple[str, str], Callable[[], Serializer[Any]]] = {
    ("builtins", "str"): PlainTextSerializer,
    ("builtins", "bytes"): JSONBytesSerializer,
    ("pandas", "DataFrame"): PandasParquetSerializer,
    ("pandas", "Series"): PandasSeriesSerializer,
    ("polars", "DataFrame"): PolarsParquetSerializer,
    ("polars", "Series"): PolarsSeriesSerializer,
    ("numpy", "ndarray"): NumpySerializer,
}


def register_serializer(cls: type, make: Callable[[Any], Serializer[Any]]) -> None:
    """Use the serializer that `make` returns for outputs of the type `cls` or a subclass.

    `make` is called with the output's type, parameters and all. Of several registered bases,
    the first in the method resolution order decides. Register before the tasks are defined
    whose outputs it is for.
    """
    _registered[cls] = make


def get_serializer(
    annotation: Any, *, pickle_as_last_resort: bool | None = None
) -> Serializer[Any]:
    """Return the serializer for values of a type.

    Raises `SerializerError`, naming the type and the ways out, if none fits (with
    `pickle_as_last_resort`, by default as configured, what none fits is pickled), and
    `NameError` if the type has a forward reference that can't be resolved yet.
    """
    while isinstance(annotation, NewType):
        annotation = annotation.__supertype__
    if get_origin(annotation) is Annotated:
        annotated, *metadata = get_args(annotation)
        if chosen := [m for m in metadata if _is_serializer(m)]:
            return chosen[-1]
        return get_serializer(annotated, pickle_as_last_resort=pickle_as_last_resort)
    if fitting := _by_class(annotation):
        return fitting
    try:
        return JSONSerializer(annotation)
    except SerializerError:
        if pickle_as_last_resort is None:
            pickle_as_last_resort = _pickle_is_configured()
        if pickle_as_last_resort:
            return PickleSerializer()
        raise


def _pickle_is_configured() -> bool:
    from stardag.config import get_config

    return get_config().targets.pickle_as_last_resort


def _by_class(annotation: Any) -> Serializer[Any] | None:
    """Return the serializer that the class of an annotation decides, if it does."""
    cls = get_origin(annotation) or annotation
    if not isinstance(cls, type):
        return None
    for base in cast("type[Any]", cls).__mro__:
        if base in _registered:
            return _registered[base](annotation)
    if SelfSerializer.fits(cls):
        return SelfSerializer(cls)
    make = _of_libraries.get((cls.__module__.partition(".")[0], cls.__name__))
    return make() if make else None


def _is_serializer(value: Any) -> bool:
    if not all(hasattr(value, name) for name in ("dump", "load", "get_default_extension")):
        return False
    if isinstance(value, type):
        raise SerializerError(
            f"a type is annotated with the class {value.__qualname__}; annotate it with a "
            f"serializer, {value.__qualname__}()"
        )
    return True
