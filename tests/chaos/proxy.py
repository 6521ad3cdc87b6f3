"""A TCP proxy between senders and servers that does to connections what networks do."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Self

Direction = Literal["to_server", "to_sender"]

_CHUNK = 16 << 10
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class Weather:
    """What happens to what passes; nothing at first."""

    delay_s: float = 0.0
    """How long each piece takes."""
    piece_bytes: int = _CHUNK
    """Most bytes that pass at once."""
    loses_requests: bool = False
    loses_answers: bool = False
    refuses: bool = False
    """Reset new connections at once."""


class Proxy:
    """Listens on a free port of loopback while it is entered.

    Each connection leads to the next of the servers; one that takes none is passed over.
    A connection on which something was lost never works again, as TCP loses nothing in the
    middle: so `clear` resets all of them.
    """

    def __init__(self) -> None:
        self.weather = Weather()
        self.ports: deque[int] = deque()
        """Where the servers are, on loopback; the next one first."""
        self._connections: list[dict[Direction, asyncio.StreamWriter]] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def reset(self) -> None:
        """Reset all connections, to both sides."""
        self._call(self._reset())

    def half_close(self, direction: Direction) -> None:
        """End one direction of each connection, and leave the other open."""
        self._call(self._half_close(direction))

    def clear(self) -> None:
        """Let everything pass again, over new connections if any had lost something."""
        lost = self.weather.loses_requests or self.weather.loses_answers
        self.weather = Weather()
        if lost:
            self.reset()

    def _call(self, coroutine: object) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)  # type: ignore[arg-type]

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.address = f"127.0.0.1:{port}"

    async def _close(self) -> None:
        self._server.close()
        await self._reset()
        serving = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.weather.refuses:
            _abort(writer)
            return
        upstream = await self._connect()
        if upstream is None:
            _abort(writer)
            return
        from_server, to_server = upstream
        connection: dict[Direction, asyncio.StreamWriter] = {
            "to_server": to_server,
            "to_sender": writer,
        }
        self._connections.append(connection)
        try:
            await asyncio.gather(
                self._pass_on(reader, to_server, answers=False),
                self._pass_on(from_server, writer, answers=True),
            )
        finally:
            self._connections.remove(connection)
            for side in connection.values():
                _abort(side)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        for _ in range(len(self.ports)):
            self.ports.rotate(-1)
            with suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", self.ports[-1])
        return None

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        with suppress(OSError, RuntimeError):  # reset, or half closed already
            while piece := await reader.read(self.weather.piece_bytes):
                if self.weather.delay_s:
                    await asyncio.sleep(self.weather.delay_s)
                lost = self.weather.loses_answers if answers else self.weather.loses_requests
                if not lost:
                    writer.write(piece)
                    await writer.drain()
            writer.write_eof()

    async def _reset(self) -> None:
        for connection in list(self._connections):
            for writer in connection.values():
                _abort(writer)

    async def _half_close(self, direction: Direction) -> None:
        for connection in list(self._connections):
            with suppress(OSError, RuntimeError):
                connection[direction].write_eof()


def _abort(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        connection: socket.socket = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()
