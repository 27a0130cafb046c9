"""Local servers with certificates of their own, for what holds for https only."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from CovidSegLib.archive.tls import TlsFiles

from .certificates import self_signed


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing about clients that close the connection."""


@contextmanager
def serve_https(folder: Path, handler: type[BaseHTTPRequestHandler]) -> Iterator[tuple[str, Path]]:
    """Serve on https. Yields the address, and the certificate that a client must trust (REQUESTS_CA_BUNDLE)."""
    files = self_signed(folder, "localhost")
    assert files.certificate is not None
    with serve_http(handler, files.server_context()) as address:
        yield address.replace("http:", "https:"), files.certificate


@contextmanager
def serve_http(handler: type[BaseHTTPRequestHandler], context: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve on http, or over TLS with a context. Yields the address."""
    with _QuietServer(("127.0.0.1", 0), handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextmanager
def https_in_front_of(port: int, files: TlsFiles) -> Iterator[str]:
    """Encrypt the connections to a web server on loopback that speaks HTTP only, as a reverse proxy does.

    Yields:
        Its address by https.
    """

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, to_server = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(copy(reader, to_server), copy(behind, writer))

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    starting = asyncio.start_server(relay, "127.0.0.1", 0, ssl=files.server_context())
    server = asyncio.run_coroutine_threadsafe(starting, loop).result(10)
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
