"""What of a pandas frame Parquet would lose without a word."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from stardag.target.serializers.fidelity import first_difference

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

ARROW_ERRORS = (NotImplementedError, OverflowError, TypeError, ValueError)
"""What pyarrow raises when it can't convert a value; its own errors are subclasses of these."""

_NAMES = frozenset({"string", "integer", "floating", "datetime64", "empty"})
"""Types of columns' names that come back."""


def loss(frame: pd.DataFrame) -> str | None:
    """Return the first thing that would be lost, or None.

    What Parquet can't hold at all, writing it tells.
    """
    return _names_loss(frame) or _attributes_loss(frame) or next(_values_losses(frame), None)


def _names_loss(frame: pd.DataFrame) -> str | None:
    columns = frame.columns
    if not columns.is_unique:
        twice = list(dict.fromkeys(columns[columns.duplicated()]))
        return f"names of columns occur more than once: {twice}"
    for level in range(columns.nlevels):
        kind = columns.get_level_values(level).inferred_type
        if kind.startswith("mixed"):
            return f"names of columns are of several types: {list(columns)}"
        if kind not in _NAMES:
            return f"names of columns are of a type that does not come back, {kind}; use text"
    for name in frame.index.names:
        if not isinstance(name, str | None):
            return f"the index's name {name!r} would become text; rename it"
    return None


def _attributes_loss(frame: pd.DataFrame) -> str | None:
    try:
        difference = first_difference(frame.attrs, json.loads(json.dumps(frame.attrs)))
    except (TypeError, ValueError) as error:
        return f"its attrs can't be written as JSON: {error}"
    return f"its attrs{difference.place} would come back as another" if difference else None


def _values_losses(frame: pd.DataFrame) -> Iterator[str]:
    import pandas as pd
    from pandas.api.types import infer_dtype, is_object_dtype

    for name, values in _columns_and_index(frame):
        dtype = values.dtype
        if isinstance(dtype, pd.CategoricalDtype) and dtype.categories.inferred_type != "string":
            yield (
                f"column {name!r} has categories of {dtype.categories.dtype}, and only those of "
                "text come back; convert the categories to text, or the column to their type"
            )
        if is_object_dtype(values):
            if values.hasnans and infer_dtype(values) == "integer":
                yield (
                    "whole numbers among missing values would become floats; make "
                    f"{name!r} an Int64"
                )
            if problem := _objects_loss(values):
                yield f"in column {name!r}, {problem}"


def _columns_and_index(frame: pd.DataFrame) -> Iterator[tuple[Any, pd.Series[Any] | pd.Index[Any]]]:
    import pandas as pd

    yield from frame.items()
    index = frame.index
    if isinstance(index, pd.MultiIndex):
        yield from zip(index.names, index.levels, strict=True)
    else:
        yield index.name, index


def _objects_loss(values: pd.Series[Any] | pd.Index[Any]) -> str | None:
    """Return which of some objects would come back as another, found by converting them."""
    import numpy as np
    import pyarrow as pa

    # arrays come back as arrays, and are too large to be made lists
    written = [value for value in values.dropna() if not isinstance(value, np.ndarray)]
    try:
        read = cast("Any", pa).array(written).to_pylist()
    except ARROW_ERRORS:
        return None
    difference = first_difference(written, read)
    return f"a value would come back as another, {difference}" if difference else None
