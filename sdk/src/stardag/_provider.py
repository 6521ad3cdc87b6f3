"""Values that a program may replace, for itself or for the length of a test."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class _Layer(Generic[T]):
    value: T | None = None
    """None until it is set, or made by default."""


class Provider(Generic[T]):
    """Holds one value for the process, made by `default` when it is first asked for."""

    def __init__(self, default: Callable[[], T]) -> None:
        """Make a provider whose value is `default()` until it is set."""
        self._default = default
        self._layers: list[_Layer[T]] = [_Layer()]

    def get(self) -> T:
        """Return the value."""
        layer = self._layers[-1]
        if layer.value is None:
            layer.value = self._default()
        return layer.value

    def set(self, value: T) -> None:
        """Replace the value for the rest of the process, or of the override around."""
        self._layers[-1].value = value

    def reset(self) -> None:
        """Forget the value; the default is made anew when it is next asked for."""
        self._layers[-1].value = None

    @contextmanager
    def override(self, value: T) -> Generator[T]:
        """Replace the value within a `with` block, in all threads.

        Of blocks that overlap, as those of two threads may, the one begun last that has not
        ended decides.
        """
        layer = _Layer(value)
        self._layers.append(layer)
        try:
            yield value
        finally:
            self._layers.remove(layer)
