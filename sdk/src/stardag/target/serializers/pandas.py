"""pandas data frames and series: as Parquet, or as CSV where it is asked for."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from stardag._errors import SerializerError
from stardag.target.serializers.refusals import unreadable, wrong_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from stardag.target._file import FileSystemTarget
    from stardag.target._protocols import Serializer


class PandasParquetSerializer:
    """pandas data frames as Parquet, types and index kept. Needs `stardag[pandas]`.

    Times in seconds come back in milliseconds, and an index without its `freq`. A column of
    objects comes back with the type of its values: text as `str`, whole numbers as `int64`,
    lists and tuples as arrays, missing values as that type has them. A frame that was written as
    CSV is read where there is no Parquet.
    """

    def dump(self, obj: pd.DataFrame, target: FileSystemTarget[Any]) -> None:
        """Write the frame.

        Raises `SerializerError` if Parquet can't hold it: names of columns that are not unique
        or neither text, numbers nor times; values of mixed or unknown types; dicts with
        different keys; categories other than text.
        """
        from stardag.target.serializers.pandas_losses import ARROW_ERRORS, loss

        _check(obj, target)
        if problem := loss(obj):
            raise SerializerError(f"{target.uri}: Parquet can't hold the frame: {problem}")
        with target.open("wb") as file:
            try:
                obj.to_parquet(file, engine="pyarrow")
            except ARROW_ERRORS as error:
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
                raise unreadable(target, error) from None

    def get_default_extension(self) -> str:
        """Return `parquet`."""
        return "parquet"

    def older_formats(self) -> Mapping[str, Serializer[pd.DataFrame]]:
        """Return what reads the frames of releases that wrote CSV."""
        return {"csv": PandasCSVSerializer()}


class PandasSeriesSerializer:
    """pandas series as Parquet: the one column of a frame. Needs `stardag[pandas]`."""

    _frames = PandasParquetSerializer()

    def dump(self, obj: pd.Series[Any], target: FileSystemTarget[Any]) -> None:
        """Write the series.

        Raises `SerializerError` if its name is not text, or Parquet can't hold its values.
        """
        import pandas as pd

        if type(obj) is not pd.Series:
            raise wrong_type(target, "a pandas Series", obj)
        if not isinstance(obj.name, str | None):
            raise SerializerError(f"{target.uri}: the series' name {obj.name!r} must be text")
        self._frames.dump(obj.to_frame(), target)  # without a name, the column is called 0

    def load(self, target: FileSystemTarget[Any]) -> pd.Series[Any]:
        """Read the series.

        Raises `SerializerError` if the content is not Parquet, or not one column.
        """
        frame = self._frames.load(target)
        if len(frame.columns) != 1:
            raise SerializerError(f"{target.uri} has {len(frame.columns)} columns, and not one")
        series = frame.iloc[:, 0]
        return series if isinstance(series.name, str) else series.rename(None)

    def get_default_extension(self) -> str:
        """Return `parquet`."""
        return "parquet"


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
                raise unreadable(target, error) from None

    def get_default_extension(self) -> str:
        """Return `csv`."""
        return "csv"


def _check(obj: object, target: FileSystemTarget[Any]) -> None:
    import pandas as pd

    if type(obj) is not pd.DataFrame:  # a subclass would come back as less than it was
        raise wrong_type(target, "a pandas DataFrame", obj)
