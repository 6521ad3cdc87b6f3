"""A server in front of another that hurts some of what passes through it."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Answer(NamedTuple):
    """What a client gets."""

    status: int
    headers: dict[str, str]
    body: bytes


Fault = Callable[[str, str, Answer], Answer]
"""Method, path and query, and the true answer -> the answer that the client gets instead.

A body that is shorter than its Content-Length ends the connection early.
"""


@contextmanager
def in_front_of(endpoint: str, fault: Fault) -> Generator[str]:
    """Run the server, and give its address."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            real = _ask(endpoint + self.path, self.command, dict(self.headers), content)
            answer = fault(self.command, self.path, real)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _ask(url: str, method: str, headers: dict[str, str], content: bytes) -> Answer:
    headers.pop("Host", None)
    request = urllib.request.Request(url, content or None, headers, method=method)
    try:
        with urllib.request.urlopen(request) as got:
            return Answer(got.status, dict(got.headers), got.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers), error.read())
