"""Data frames as Parquet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stardag._errors import SerializerError

if TYPE_CHECKING:
    import pandas as pd

    from stardag.target._file import FileSystemTarget


class PandasParquetSerializer:
    """pandas data frames, by pyarrow; types and index are kept. Needs `stardag[pandas]`."""

    @staticmethod
    def fits(annotation: Any) -> bool:
        """Return whether a type is pandas' DataFrame, without importing pandas."""
        return (
            getattr(annotation, "__name__", "") == "DataFrame"
            and getattr(annotation, "__module__", "").partition(".")[0] == "pandas"
        )

    def dump(self, obj: pd.DataFrame, target: FileSystemTarget[Any]) -> None:
        """Write the frame."""
        if not self.fits(type(obj)):
            raise SerializerError(f"{target.uri} holds a data frame, not {type(obj).__qualname__}")
        with target.open("wb") as file:
            obj.to_parquet(file, engine="pyarrow")

    def load(self, target: FileSystemTarget[Any]) -> pd.DataFrame:
        """Read the frame."""
        import pandas as pd

        with target.open("rb") as file:
            return pd.read_parquet(file, engine="pyarrow")

    def get_default_extension(self) -> str:
        """Return `parquet`."""
        return "parquet"
