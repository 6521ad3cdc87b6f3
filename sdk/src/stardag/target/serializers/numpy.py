"""numpy arrays in numpy's own format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stardag._errors import SerializerError
from stardag.target.serializers.refusals import unreadable

if TYPE_CHECKING:
    import numpy as np

    from stardag.target._file import FileSystemTarget


class NumpySerializer:
    """numpy arrays as `.npy`: type, shape and order in memory are kept. Needs `stardag[numpy]`."""

    def dump(self, obj: np.ndarray[Any, Any], target: FileSystemTarget[Any]) -> None:
        """Write the array.

        Raises `SerializerError` if it has Python objects in it, which only a pickle could hold,
        is of a subclass, of which only the array would come back, or of a dtype whose fields
        are out of order.
        """
        import numpy as np

        if type(obj) is not np.ndarray:
            raise SerializerError(
                f"{target.uri} holds a numpy array, not {type(obj).__qualname__}; np.asarray() "
                "makes one of what is like an array (of a masked one, without its mask)"
            )
        if obj.dtype.hasobject:
            raise SerializerError(
                f"{target.uri}: the array has Python objects in it ({obj.dtype}), which are not "
                "written; give it another dtype, or name PickleSerializer() for the type"
            )
        # names of fields may need the newer version; the oldest is read everywhere
        version = (3, 0) if obj.dtype.names else (1, 0)
        with target.open("wb") as file:
            try:
                np.lib.format.write_array(file, obj, version, allow_pickle=False)
            except ValueError as error:
                raise SerializerError(f"{target.uri}: .npy can't hold the array: {error}") from None

    def load(self, target: FileSystemTarget[Any]) -> np.ndarray[Any, Any]:
        """Read the array.

        Raises `SerializerError` if the content is no array, or one of Python objects.
        """
        import numpy as np

        with target.open("rb") as file:
            try:
                return np.lib.format.read_array(file, allow_pickle=False)
            except ValueError as error:
                raise unreadable(target, error) from None

    def get_default_extension(self) -> str:
        """Return `npy`."""
        return "npy"
