"""A local server of one file that supports byte ranges and can break connections."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Served:
    """The file that is served, and the requests.

    Attributes:
        content: The file, at every address except that of "none.zip".
        tag: Its ETag.
        break_after: For each of the next responses, the bytes after which the connection breaks.
        ranges: The Range header of each request; None if it requested the whole file.
        address: Address of the server.
    """

    content: bytes
    tag: str = '"1"'
    break_after: list[int] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)
    address: str = ""


@contextmanager
def serve(served: Served) -> Iterator[Served]:
    """Serve a file in a thread."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if "none.zip" in self.path:
                self.send_error(404)
                return
            asked = self.headers.get("Range")
            served.ranges.append(asked)
            valid = asked is not None and self.headers.get("If-Range") == served.tag
            first = int(asked.removeprefix("bytes=").removesuffix("-")) if valid and asked else 0
            total = len(served.content)
            if valid and first >= total:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{total}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206 if valid else 200)
            if valid:
                self.send_header("Content-Range", f"bytes {first}-{total - 1}/{total}")
            self.send_header("ETag", served.tag)
            self.send_header("Content-Length", str(total - first))
            self.end_headers()
            rest = served.content[first:]
            self.wfile.write(rest[: served.break_after.pop(0)] if served.break_after else rest)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield served
        server.shutdown()
