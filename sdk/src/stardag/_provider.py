"""Values that a program may replace, for itself or for the length of a test."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

T = TypeVar("T")


class Provider(Generic[T]):
    """Holds one value for the process, made by `default` when it is first asked for."""

    def __init__(self, default: Callable[[], T]) -> None:
        """Make a provider whose value is `default()` until it is set."""
        self._default = default
        self._value: T | None = None

    def get(self) -> T:
        """Return the value."""
        if self._value is None:
            self._value = self._default()
        return self._value

    def set(self, value: T) -> None:
        """Replace the value for the rest of the process."""
        self._value = value

    def reset(self) -> None:
        """Forget the value; the default is made anew when it is next asked for."""
        self._value = None

    @contextmanager
    def override(self, value: T) -> Generator[T]:
        """Replace the value within a `with` block, in all threads."""
        previous = self._value
        self._value = value
        try:
            yield value
        finally:
            self._value = previous
