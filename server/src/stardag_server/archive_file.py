"""An archive as a file: its parts one after another, each after its length as a varint.

That is what Protobuf's libraries call delimited messages.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from google.protobuf.message import DecodeError
from google.protobuf.proto import serialize_length_prefixed

from stardag.v1.build_archive_pb2 import BuildArchivePart
from stardag_server.domain import limits
from stardag_server.domain.refusals import ArchiveInvalid


def write_part(file: BinaryIO, part: BuildArchivePart) -> None:
    """Append a part to a buffered file."""
    serialize_length_prefixed(part, cast(Any, file))


def read_parts(file: BinaryIO) -> Iterator[BuildArchivePart]:
    """Yield the parts from the beginning of the file. Raises ArchiveInvalid for what is none."""
    file.seek(0)
    number = 0
    while (size := _read_length(file, number)) is not None:
        if size > limits.MAX_MESSAGE_BYTES:
            raise ArchiveInvalid(f"a part of {size} bytes; is this an archive of a build?", number)
        content = file.read(size)
        if len(content) < size:
            raise ArchiveInvalid("the file ends within it: it was cut", number)
        try:
            yield BuildArchivePart.FromString(content)
        except DecodeError:
            raise ArchiveInvalid("its bytes are damaged", number) from None
        number += 1


def _read_length(file: BinaryIO, number: int) -> int | None:
    """Return the length of the next part; None at the end of the file."""
    length = 0
    for shift in range(0, 35, 7):
        byte = file.read(1)
        if not byte:
            if shift:
                raise ArchiveInvalid("the file ends within its length: it was cut", number)
            return None
        length |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return length
    raise ArchiveInvalid("its length is damaged; is this an archive of a build?", number)
