"""A server whose connections break in the middle of a file."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from support.https_server import serve_http

#: Longest time for which a connection waits in the middle of a file.
PATIENCE = 60


class Network:
    """What happens to the connections.

    Attributes:
        is_lost: Whether they are broken.
        halfway: Set when half of the file has been sent.
        going_on: Set when the other half may be sent.
    """

    def __init__(self) -> None:
        self.is_lost = False
        self.halfway = threading.Event()
        self.going_on = threading.Event()

    def restore(self) -> None:
        """Let all connections work, without a stop in the middle."""
        self.is_lost = False
        self.going_on.set()

    def stop_halfway(self) -> None:
        """Let the next connection stop in the middle of the file, until `going_on` is set."""
        self.is_lost = False
        self.halfway.clear()
        self.going_on.clear()


@contextmanager
def served(file: Path) -> Iterator[tuple[str, Network]]:
    """Serve a file. Yields its address and the network."""
    network = Network()
    content = file.read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if network.is_lost:
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            half = len(content) // 2
            self.wfile.write(content[:half])
            self.wfile.flush()
            network.halfway.set()
            network.going_on.wait(PATIENCE)
            if not network.is_lost:
                self.wfile.write(content[half:])

        def log_message(self, *arguments: object) -> None:
            pass

    with serve_http(Handler) as address:
        yield f"{address}/{file.name}", network
