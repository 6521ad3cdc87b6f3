"""pandas data frames: as Parquet, or as CSV where it is asked for."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from stardag._errors import SerializerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from stardag.target._file import FileSystemTarget
    from stardag.target._protocols import Serializer

# What pyarrow raises when it can't convert a value; its own errors are subclasses of these.
_ARROW_ERRORS = (NotImplementedError, OverflowError, TypeError, ValueError)


class PandasParquetSerializer:
    """pandas data frames as Parquet, types and index kept. Needs `stardag[pandas]`.

    Times in seconds come back in milliseconds, an index without its `freq`, and missing values
    in a column of objects as None. A frame that was written as CSV is read where there is no
    Parquet.
    """

    def dump(self, obj: pd.DataFrame, target: FileSystemTarget[Any]) -> None:
        """Write the frame.

        Raises `SerializerError` if Parquet can't hold it: names of columns that are not unique
        or of several types, values of mixed or unknown types, categories other than text.
        """
        _check(obj, target)
        if problem := _parquet_problem(obj):
            raise SerializerError(f"{target.uri}: Parquet can't hold the frame: {problem}")
        with target.open("wb") as file:
            try:
                obj.to_parquet(file, engine="pyarrow")
            except _ARROW_ERRORS as error:
                raise SerializerError(
                    f"{target.uri}: Parquet can't hold the frame: {error}"
                ) from None

    def load(self, target: FileSystemTarget[Any]) -> pd.DataFrame:
        """Read the frame.

        Raises `SerializerError` if the content is not Parquet.
        """
        import pandas as pd

        with target.open("rb") as file:
            try:
                return pd.read_parquet(file, engine="pyarrow")
            except ValueError as error:
                raise SerializerError(f"{target.uri} can't be read: {error}") from None

    def get_default_extension(self) -> str:
        """Return `parquet`."""
        return "parquet"

    def older_formats(self) -> Mapping[str, Serializer[pd.DataFrame]]:
        """Return what reads the frames of releases that wrote CSV."""
        return {"csv": PandasCSVSerializer()}


class PandasCSVSerializer:
    """pandas data frames as CSV, for those who want it: types are guessed when it is read.

    An index is written unless it merely counts the rows; it is the column without a name.
    """

    def dump(self, obj: pd.DataFrame, target: FileSystemTarget[Any]) -> None:
        """Write the frame.

        Raises `SerializerError` if its index has a name or several levels, or names of columns
        are not unique: nothing in the file would say so.
        """
        import pandas as pd

        _check(obj, target)
        if obj.index.nlevels > 1 or obj.index.name is not None:
            raise SerializerError(
                f"{target.uri}: CSV can't say which columns are the index; reset_index() it, or "
                "use Parquet"
            )
        if obj.columns.nlevels > 1 or not obj.columns.is_unique:
            raise SerializerError(f"{target.uri}: CSV needs unique names of columns, of one level")
        counts_rows = isinstance(obj.index, pd.RangeIndex) and obj.index.equals(
            pd.RangeIndex(len(obj))
        )
        with target.open("w") as file:
            obj.to_csv(file, index=not counts_rows, lineterminator="\n")

    def load(self, target: FileSystemTarget[Any]) -> pd.DataFrame:
        """Read the frame; a first column without a name is the index.

        Raises `SerializerError` if the content is not CSV.
        """
        import pandas as pd

        with target.open("r") as file:
            head = file.readline()
            file.seek(0)
            names = next(csv.reader(io.StringIO(head)), list[str]())
            try:
                return pd.read_csv(file, index_col=0 if names[:1] == [""] else None)
            except pd.errors.EmptyDataError:
                return pd.DataFrame()
            except (pd.errors.ParserError, UnicodeDecodeError) as error:
                raise SerializerError(f"{target.uri} can't be read: {error}") from None

    def get_default_extension(self) -> str:
        """Return `csv`."""
        return "csv"


def _check(obj: object, target: FileSystemTarget[Any]) -> None:
    import pandas as pd

    if type(obj) is not pd.DataFrame:  # a subclass would come back as less than it was
        raise SerializerError(
            f"{target.uri} holds a pandas DataFrame, not {type(obj).__qualname__}"
        )


def _parquet_problem(frame: pd.DataFrame) -> str | None:
    """Return what would be lost in Parquet without a word, if something would be."""
    import pandas as pd
    from pandas.api.types import infer_dtype

    if not frame.columns.is_unique:
        twice = list(dict.fromkeys(frame.columns[frame.columns.duplicated()]))
        return f"names of columns occur more than once: {twice}"
    for level in range(frame.columns.nlevels):
        if frame.columns.get_level_values(level).inferred_type.startswith("mixed"):
            return f"names of columns are of several types: {list(frame.columns)}"
    for name, values in frame.items():
        if values.dtype == object and values.hasnans and infer_dtype(values) == "integer":
            return f"whole numbers among missing values would become floats; make {name!r} an Int64"
    index = frame.index
    index_types = index.dtypes if isinstance(index, pd.MultiIndex) else {index.name: index.dtype}
    for name, dtype in [*frame.dtypes.items(), *index_types.items()]:
        if isinstance(dtype, pd.CategoricalDtype) and dtype.categories.inferred_type != "string":
            return (
                f"column {name!r} has categories of {dtype.categories.dtype}, and only those of "
                "text come back; convert the categories to text, or the column to their type"
            )
    return None
