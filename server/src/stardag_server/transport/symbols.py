"""Where the symbols of the contract are declared, as reflection is asked for them."""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FileDescriptor


class Symbols:
    """Protobuf's pool of descriptors, which finds methods too.

    By itself it knows these by their service alone; but gRPC reflection asks for "any
    fully-qualified symbol", and `grpcurl describe` for methods.
    """

    def __init__(self) -> None:
        self._pool = descriptor_pool.Default()

    def FindFileContainingSymbol(self, symbol: str) -> FileDescriptor:
        """Return the file that declares a symbol. Raises KeyError if none does."""
        try:
            return self._pool.FindFileContainingSymbol(symbol)
        except KeyError:
            service, _, method = symbol.rpartition(".")
            if method not in self._pool.FindServiceByName(service).methods_by_name:
                raise
            return self._pool.FindFileContainingSymbol(service)

    def __getattr__(self, name: str) -> Any:
        """Return what else the pool has."""
        return getattr(self._pool, name)
