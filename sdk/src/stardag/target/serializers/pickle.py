"""Pickles, where they are asked for by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stardag._errors import SerializerError
from stardag.target.serializers.refusals import unreadable

if TYPE_CHECKING:
    from stardag.target._file import FileSystemTarget


class PickleSerializer:
    """Any object that pickle can write. Never chosen unless named.

    Reading a pickle runs code that it names: whoever can write to the target root can run code
    where it is read. And it can be read only as long as the classes in it are where they were.
    """

    def dump(self, obj: Any, target: FileSystemTarget[Any]) -> None:
        """Write the object.

        Raises `SerializerError` if it can't be pickled.
        """
        import pickle

        with target.open("wb") as file:
            try:
                pickle.dump(obj, file, protocol=pickle.HIGHEST_PROTOCOL)
            except (pickle.PicklingError, TypeError, AttributeError) as error:
                raise SerializerError(
                    f"{target.uri}: the value can't be pickled: {error}"
                ) from None

    def load(self, target: FileSystemTarget[Any]) -> Any:
        """Read the object.

        Raises `SerializerError` if the content is no pickle.
        """
        import pickle

        with target.open("rb") as file:
            try:
                return pickle.load(file)
            except (pickle.UnpicklingError, EOFError) as error:
                raise unreadable(target, error) from None

    def get_default_extension(self) -> str:
        """Return `pkl`."""
        return "pkl"
