"""Downloads that resume where they were interrupted."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import requests
from tqdm import tqdm

#: Seconds without an answer after which a connection has failed, and seconds before the next attempt.
TIMEOUT, PAUSE = 30, 2
#: Bytes read at once; a failed connection loses at most this many.
CHUNK = 1 << 14
CONNECTION_ERRORS = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


class ResumingDownloader:
    """A downloader for pooch that collects a file in `part` and requests only the missing bytes.

    NAME.part.tag beside it identifies the server's version of the file. If that has changed, the server sends the whole
    file and the download starts again. A failed connection is retried as long as each attempt extends the file.

    Args:
        part: The file while it is incomplete; moved away when it is complete.
    """

    def __init__(self, part: Path) -> None:
        self.part, self.tag = part, part.with_name(f"{part.name}.tag")

    def __call__(self, url: str, output_file: str, pooch: Any, check_only: bool = False) -> None:
        """Download `url` to `output_file`.

        Raises:
            requests.RequestException: The download failed; what has arrived is kept.
        """
        largest = self.size
        while True:
            try:
                self._resume(url)
                break
            except CONNECTION_ERRORS:
                if self.size <= largest:
                    raise
                largest = self.size
                time.sleep(PAUSE)
        self.part.replace(output_file)
        self.tag.unlink(missing_ok=True)

    @property
    def size(self) -> int:
        """Number of bytes that have arrived."""
        return self.part.stat().st_size if self.part.exists() else 0

    def _resume(self, url: str) -> None:
        size = self.size
        headers = {"Accept-Encoding": "identity"}  # byte ranges of compressed transfers would not match the file
        tag = self.tag.read_text(encoding="utf-8") if self.tag.exists() else ""
        if size and tag:
            headers |= {"Range": f"bytes={size}-", "If-Range": tag}
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            if url.startswith("https:") and not all(step.url.startswith("https:") for step in _steps(response)):
                raise requests.exceptions.InvalidSchema("redirected from https to http", response=response)
            first, total = _content_range(response)
            if response.status_code == 416 and total == size:
                return  # interrupted after the last byte
            if response.status_code == 416 or (response.status_code == 206 and first != size):
                self.part.unlink()
                raise requests.ConnectionError(f"{url}: the file on the server has changed", response=response)
            response.raise_for_status()
            if response.status_code != 206:
                size = 0
                total = int(response.headers.get("Content-Length", 0)) or None
                self.tag.write_text(_version(response), encoding="utf-8")
            self._collect(response, size, total)

    def _collect(self, response: requests.Response, size: int, total: int | None) -> None:
        # disable=None: no progress bar unless the output is a terminal
        options: dict[str, Any] = {"unit": "B", "unit_scale": True, "desc": self.part.stem, "disable": None}
        with (
            self.part.open("ab" if size else "wb") as file,
            tqdm(total=total, initial=size, leave=False, **options) as bar,
        ):
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
        if total is not None and self.size != total:
            raise requests.ConnectionError(f"only {self.size} of {total} bytes arrived", response=response)


def _steps(response: requests.Response) -> list[requests.Response]:
    """Return the response and the redirects that led to it."""
    return [*response.history, response]


def _version(response: requests.Response) -> str:
    """Return a value for If-Range: a strong ETag, otherwise the date; empty if the server sends neither."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified", "")


def _content_range(response: requests.Response) -> tuple[int | None, int | None]:
    """Return the first byte and the size of the whole file from Content-Range; None for what it does not state."""
    match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(?:(\d+)|\*)", response.headers.get("Content-Range", ""))
    first, total = match.groups() if match else (None, None)
    return (None if first is None else int(first)), (None if total is None else int(total))
