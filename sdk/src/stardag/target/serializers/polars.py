"""polars data frames and series: as Parquet, or as CSV where it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stardag._errors import SerializerError
from stardag.target.serializers.refusals import unreadable, wrong_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from stardag.target._file import FileSystemTarget
    from stardag.target._protocols import Serializer


class PolarsParquetSerializer:
    """polars data frames as Parquet, types kept. Needs `stardag[polars]`.

    A frame that was written as CSV is read where there is no Parquet.
    """

    def dump(self, obj: pl.DataFrame, target: FileSystemTarget[Any]) -> None:
        """Write the frame.

        Raises `SerializerError` if Parquet can't hold it: columns of Python objects.
        """
        import polars as pl

        _check(obj, target)
        with target.open("wb") as file:
            try:
                obj.write_parquet(file)
            except pl.exceptions.PolarsError as error:
                raise SerializerError(
                    f"{target.uri}: Parquet can't hold the frame: {error}"
                ) from None

    def load(self, target: FileSystemTarget[Any]) -> pl.DataFrame:
        """Read the frame.

        Raises `SerializerError` if the content is not Parquet.
        """
        import polars as pl

        with target.open("rb") as file:
            try:
                return pl.read_parquet(file)
            except pl.exceptions.PolarsError as error:
                raise unreadable(target, error) from None

    def get_default_extension(self) -> str:
        """Return `parquet`."""
        return "parquet"

    def older_formats(self) -> Mapping[str, Serializer[pl.DataFrame]]:
        """Return what reads the frames of releases that wrote CSV."""
        return {"csv": PolarsCSVSerializer()}


class PolarsSeriesSerializer:
    """polars series as Parquet: the one column of a frame. Needs `stardag[polars]`."""

    _frames = PolarsParquetSerializer()

    def dump(self, obj: pl.Series, target: FileSystemTarget[Any]) -> None:
        """Write the series.

        Raises `SerializerError` if Parquet can't hold its values.
        """
        import polars as pl

        if type(obj) is not pl.Series:
            raise wrong_type(target, "a polars Series", obj)
        self._frames.dump(obj.to_frame(), target)

    def load(self, target: FileSystemTarget[Any]) -> pl.Series:
        """Read the series.

        Raises `SerializerError` if the content is not Parquet, or not one column.
        """
        frame = self._frames.load(target)
        if frame.width != 1:
            raise SerializerError(f"{target.uri} has {frame.width} columns, and not one")
        return frame.to_series()

    def get_default_extension(self) -> str:
        """Return `parquet`."""
        return "parquet"


class PolarsCSVSerializer:
    """polars data frames as CSV, for those who want it: types are guessed when it is read."""

    def dump(self, obj: pl.DataFrame, target: FileSystemTarget[Any]) -> None:
        """Write the frame.

        Raises `SerializerError` if CSV can't hold it: columns of lists, structs or objects.
        """
        import polars as pl

        _check(obj, target)
        with target.open("wb") as file:
            try:
                obj.write_csv(file)
            except pl.exceptions.PolarsError as error:
                raise SerializerError(f"{target.uri}: CSV can't hold the frame: {error}") from None

    def load(self, target: FileSystemTarget[Any]) -> pl.DataFrame:
        """Read the frame.

        Raises `SerializerError` if the content is not CSV.
        """
        import polars as pl

        with target.open("rb") as file:
            try:
                return pl.read_csv(file, try_parse_dates=True, infer_schema_length=None)
            except pl.exceptions.NoDataError:
                return pl.DataFrame()
            except pl.exceptions.PolarsError as error:
                raise unreadable(target, error) from None

    def get_default_extension(self) -> str:
        """Return `csv`."""
        return "csv"


def _check(obj: object, target: FileSystemTarget[Any]) -> None:
    import polars as pl

    if type(obj) is not pl.DataFrame:
        raise wrong_type(target, "a polars DataFrame", obj)
