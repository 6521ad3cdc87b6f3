"""Text and bytes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from stardag._errors import SerializerError
from stardag.target.serializers.refusals import unreadable, wrong_type

if TYPE_CHECKING:
    from stardag.target._file import FileSystemTarget


class PlainTextSerializer:
    """`str` as UTF-8."""

    def dump(self, obj: str, target: FileSystemTarget[Any]) -> None:
        """Write the text.

        Raises `SerializerError` if UTF-8 can't hold it: lone surrogates.
        """
        if not isinstance(obj, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise wrong_type(target, "text", obj)
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
            raise unreadable(target, error) from None

    def get_default_extension(self) -> str:
        """Return `txt`."""
        return "txt"


class BytesSerializer:
    """`bytes`, untouched, where it is named."""

    def dump(self, obj: bytes, target: FileSystemTarget[Any]) -> None:
        """Write the bytes."""
        _check_bytes(obj, target)
        with target.open("wb") as file:
            file.write(obj)

    def load(self, target: FileSystemTarget[Any]) -> bytes:
        """Read the bytes."""
        with target.open("rb") as file:
            return file.read()

    def get_default_extension(self) -> str:
        """Return `bin`."""
        return "bin"


class JSONBytesSerializer:
    """`bytes` as the JSON of the text that they are in UTF-8, as the published releases do.

    Bytes that are no such text are `{"base64": "..."}`.
    """

    def dump(self, obj: bytes, target: FileSystemTarget[Any]) -> None:
        """Write the bytes."""
        from base64 import b64encode

        _check_bytes(obj, target)
        content = bytes(obj)
        try:
            value: object = content.decode()
        except UnicodeDecodeError:
            value = {"base64": b64encode(content).decode()}
        with target.open("wb") as file:
            file.write(json.dumps(value, ensure_ascii=False).encode())

    def load(self, target: FileSystemTarget[Any]) -> bytes:
        """Read the bytes.

        Raises `SerializerError` if the content is other JSON, or none.
        """
        from base64 import b64decode

        with target.open("rb") as file:
            data = file.read()
        try:
            match json.loads(data):
                case str(text):
                    return text.encode()
                case {"base64": str(text)}:
                    return b64decode(text, validate=True)
                case _:
                    raise ValueError("it is neither text nor base64")
        except ValueError as error:
            raise unreadable(target, error) from None

    def get_default_extension(self) -> str:
        """Return `json`."""
        return "json"


def _check_bytes(obj: object, target: FileSystemTarget[Any]) -> None:
    if not isinstance(obj, (bytes, bytearray, memoryview)):
        raise wrong_type(target, "bytes", obj)
