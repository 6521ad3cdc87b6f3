"""Text and bytes, as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stardag._errors import SerializerError

if TYPE_CHECKING:
    from stardag.target._file import FileSystemTarget


class PlainTextSerializer:
    """`str` as UTF-8."""

    def dump(self, obj: str, target: FileSystemTarget[Any]) -> None:
        """Write the text.

        Raises `SerializerError` if UTF-8 can't hold it: lone surrogates.
        """
        if not isinstance(obj, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise SerializerError(f"{target.uri} holds text, not {type(obj).__qualname__}")
        try:
            data = obj.encode()
        except UnicodeEncodeError as error:
            raise SerializerError(f"{target.uri}: the text can't be written: {error}") from None
        with target.open("wb") as file:
            file.write(data)

    def load(self, target: FileSystemTarget[Any]) -> str:
        """Read the text.

        Raises `SerializerError` if the content is not UTF-8.
        """
        with target.open("rb") as file:
            data = file.read()
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise SerializerError(f"{target.uri} can't be read: {error}") from None

    def get_default_extension(self) -> str:
        """Return `txt`."""
        return "txt"


class BytesSerializer:
    """`bytes`, untouched."""

    def dump(self, obj: bytes, target: FileSystemTarget[Any]) -> None:
        """Write the bytes."""
        if not isinstance(obj, (bytes, bytearray, memoryview)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise SerializerError(f"{target.uri} holds bytes, not {type(obj).__qualname__}")
        with target.open("wb") as file:
            file.write(obj)

    def load(self, target: FileSystemTarget[Any]) -> bytes:
        """Read the bytes."""
        with target.open("rb") as file:
            return file.read()

    def get_default_extension(self) -> str:
        """Return `bin`."""
        return "bin"
