"""A model on loopback that answers what a test has written, and records what it is sent."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image


@dataclass(frozen=True)
class Request:
    """A request that the model received.

    Attributes:
        path: The path, without the query.
        headers: The headers, with names in lower case.
        body: The body, which is JSON.
    """

    path: str
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Stream:
    """An answer in parts: server-sent events, each with its name and data."""

    events: Sequence[tuple[str, Any]]


@dataclass(frozen=True)
class Status:
    """An answer that is an error."""

    code: int
    body: Any


Reply = Any
"""A JSON object, a `Stream`, a `Status`, or a function of the request that returns one of them."""


class ModelServer:
    """Answers requests in turn.

    Attributes:
        url: The address, without a path.
        requests: What it was sent, oldest first.
        left: The replies that it has not given yet.
    """

    def __init__(self, *replies: Reply) -> None:
        self.requests: list[Request] = []
        self.left = list(replies)
        self.unexpected: list[str] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.path.partition("?")[0], headers, json.loads(body))
                owner._answer(self, request)

            def log_message(self, *arguments: Any) -> None:
                """Nothing is logged."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def _answer(self, handler: BaseHTTPRequestHandler, request: Request) -> None:
        self.requests.append(request)
        if self.left:
            reply = self.left.pop(0)
            if callable(reply):
                reply = reply(request)
        else:
            self.unexpected.append(f"{request.path} {str(request.body)[:200]}")
            reply = Status(400, {"error": {"message": "the script is over"}})
        code, body, kind = 200, b"", "application/json"
        if isinstance(reply, Stream):
            kind = "text/event-stream"
            parts = (f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in reply.events)
            body = "".join(parts).encode()
        elif isinstance(reply, Status):
            code, body = reply.code, json.dumps(reply.body).encode()
        else:
            body = json.dumps(reply).encode()
        handler.send_response(code)
        handler.send_header("content-type", kind)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def check(self) -> None:
        """Fails if the conversation was not the one that the test has written."""
        assert self.unexpected == [], "the loop went on after the last reply"
        assert self.left == [], "the loop ended before the last reply"

    def end(self) -> None:
        """Ends the server."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def picture(data: str) -> Image.Image:
    """Decodes an image in base64, or in a data URL."""
    prefix, _, rest = data.rpartition("base64,")
    assert prefix in ("", "data:image/png;")
    image = Image.open(io.BytesIO(base64.b64decode(rest, validate=True)))
    assert image.format == "PNG"
    return image.convert("RGB")


Make = Callable[..., ModelServer]
