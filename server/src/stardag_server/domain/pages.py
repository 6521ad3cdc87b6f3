"""Pages of lists (AIP-158), and parts of streams that fit a message."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar, cast

from google.protobuf.message import Message

from stardag_server.domain import limits
from stardag_server.domain.opaque import seal, unseal
from stardag_server.domain.refusals import PageTokenInvalid, RequestInvalid

MessageT = TypeVar("MessageT", bound=Message)
RowT = TypeVar("RowT")


def page_size(asked: int, default: int) -> int:
    """Return the size of the page to make. Raises RequestInvalid for a negative one."""
    if asked < 0:
        raise RequestInvalid.of("page_size", "must not be negative")
    return min(asked or default, limits.MAX_PART_ITEMS)


class PlaceTokens:
    """The page tokens of one listing: what a request asks for but for its place.

    A place is as many integers as `keys` says.
    """

    def __init__(self, request: Message, keys: int) -> None:
        listing = type(request)()
        listing.CopyFrom(request)
        listing.ClearField("page_size")
        listing.ClearField("page_token")
        name = request.DESCRIPTOR.full_name.encode()
        self._binding = name + b"\0" + listing.SerializeToString(deterministic=True)
        self._keys = keys

    def parse(self, token: str) -> tuple[int, ...] | None:
        """Return the place after which the page begins; None for the first page.

        Raises PageTokenInvalid if the token is not one of this listing.
        """
        if not token:
            return None
        try:
            return unseal(self._binding, token, self._keys)
        except ValueError:
            raise PageTokenInvalid from None

    def make(self, place: Sequence[int]) -> str:
        """Return the token of the page that begins after this place."""
        return seal(self._binding, place)


class PageTokens:
    """The page tokens of a listing whose places are keys. Otherwise as PlaceTokens."""

    def __init__(self, request: Message) -> None:
        self._tokens = PlaceTokens(request, 1)

    def parse(self, token: str) -> int | None:
        """Return the key after which the page begins; None for the first page."""
        place = self._tokens.parse(token)
        return place[0] if place else None

    def make(self, key: int) -> str:
        """Return the token of the page that begins after this key."""
        return self._tokens.make((key,))


class PagedRequest(Protocol):
    """A request of a list."""

    page_size: int
    page_token: str


class Paging:
    """The page that a request asks for, of a list whose places are keys.

    Raises RequestInvalid for a negative size, PageTokenInvalid for a token of another list.
    """

    def __init__(
        self, request: PagedRequest, default: int, most: int = limits.MAX_PART_ITEMS
    ) -> None:
        self._size = min(page_size(request.page_size, default), most)
        self._tokens = PageTokens(cast(Message, request))
        self.after = self._tokens.parse(request.page_token)
        """The key after which the page begins; None for the first page."""
        self.limit = self._size + 1
        """Most rows to read: with one more than the page has, another page follows."""

    def page(
        self,
        rows: Sequence[RowT],
        message: Callable[[RowT], MessageT],
        key: Callable[[RowT], int],
    ) -> tuple[list[MessageT], str]:
        """Return the messages of as many rows as fit, and the token of the next page."""
        messages = next(parts(message(row) for row in rows[: self._size]), list[MessageT]())
        if len(messages) == len(rows):
            return messages, ""
        return messages, self._tokens.make(key(rows[len(messages) - 1]))


def parts(messages: Iterable[MessageT]) -> Iterator[list[MessageT]]:
    """Cut messages into parts, each within the bounds of a page; none for no messages."""
    part: list[MessageT] = []
    size = 0
    for message in messages:
        part.append(message)
        size += message.ByteSize()
        if len(part) == limits.MAX_PART_ITEMS or size >= limits.MAX_PART_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part
