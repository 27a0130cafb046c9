"""Downloads that go on where they broke off, as large ones do on any line."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import requests
from tqdm import tqdm

#: Seconds without an answer after which a connection counts as broken, and before it is tried again.
PATIENCE, PAUSE = 30, 2
#: Bytes that are read at once, and lost with a connection.
CHUNK = 1 << 14
BROKEN = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


class ResumingDownloader:
    """A downloader for pooch that collects a file in `part`, and asks only for what is missing there.

    Beside it lies NAME.part.tag, by which the server knows its version of the file: where that has changed meanwhile,
    the server sends all of it, and it is begun anew. A broken connection is taken up again as long as each brings the
    file further than any before.

    Attributes:
        part: The file so far; moved away when it is whole.
    """

    def __init__(self, part: Path) -> None:
        self.part, self.tag = part, part.with_name(f"{part.name}.tag")

    def __call__(self, url: str, output_file: str, pooch: Any, check_only: bool = False) -> None:
        """Download `url` to `output_file`; raises requests.RequestException, and keeps what came by then."""
        furthest = self.size
        while True:
            try:
                self._go_on(url)
                break
            except BROKEN:
                if self.size <= furthest:
                    raise
                furthest = self.size
                time.sleep(PAUSE)
        self.part.replace(output_file)
        self.tag.unlink(missing_ok=True)

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.part.stat().st_size if self.part.exists() else 0

    def _go_on(self, url: str) -> None:
        there = self.size
        headers = {"Accept-Encoding": "identity"}  # compressed on its way, bytes could not be counted
        tag = self.tag.read_text(encoding="utf-8") if self.tag.exists() else ""
        if there and tag:
            headers |= {"Range": f"bytes={there}-", "If-Range": tag}
        with requests.get(url, headers=headers, stream=True, timeout=PATIENCE) as answer:
            rest, total = _range(answer)
            if answer.status_code == 416 and total == there:
                return  # broke off after the last byte
            if answer.status_code == 416 or (answer.status_code == 206 and rest != there):
                self.part.unlink()
                raise requests.ConnectionError(f"{url}: the server has another file than before", response=answer)
            answer.raise_for_status()
            if answer.status_code != 206:
                there = 0
                total = int(answer.headers.get("Content-Length", 0)) or None
                self.tag.write_text(_version(answer), encoding="utf-8")
            self._collect(answer, there, total)

    def _collect(self, answer: requests.Response, there: int, total: int | None) -> None:
        shown: dict[str, Any] = {"unit": "B", "unit_scale": True, "desc": self.part.stem, "disable": None}
        with (
            self.part.open("ab" if there else "wb") as file,
            tqdm(total=total, initial=there, leave=False, **shown) as bar,  # not where no person is looking
        ):
            for chunk in answer.iter_content(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
        if total is not None and self.size != total:
            raise requests.ConnectionError(f"{self.size} bytes of {total} came", response=answer)


def _version(answer: requests.Response) -> str:
    """What If-Range may name: a strong ETag, or else the date; empty if the server tells neither."""
    tag = answer.headers.get("ETag", "")
    return tag if tag.startswith('"') else answer.headers.get("Last-Modified", "")


def _range(answer: requests.Response) -> tuple[int | None, int | None]:
    """Of Content-Range: the first byte that comes, and the size of the whole file; None where not told."""
    found = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(?:(\d+)|\*)", answer.headers.get("Content-Range", ""))
    first, total = found.groups() if found else (None, None)
    return (None if first is None else int(first)), (None if total is None else int(total))
