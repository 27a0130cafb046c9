"""Public data sets, downloaded and unpacked. Nothing is ever uploaded."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pooch
import requests

from ..errors import InputError
from ..storage.atomic import write_json_atomically
from ..storage.disk_errors import explain_disk_errors
from .resuming_downloader import ResumingDownloader
from .sources import RemoteFile, Source
from .unpack import BadArchive, folder_of, unpack

#: In the folder of a data set: where each file is from, and its checksum.
RECORD = "downloads.json"


def download(source: Source, out: Path) -> list[Path]:
    """Download what is not there yet, compare all files with their checksums, and unpack each into a folder.

    A file without a published checksum is compared with the SHA-256 of its first download, which `RECORD` keeps.

    Args:
        source: Of `sources.find`.
        out: The folder for the archives and what is in them; made where there is none.

    Returns:
        The folder of each archive.

    Raises:
        InputError: A file cannot be downloaded, is not the one that it must be (it is removed then), or the folder
            cannot be written. What came of a broken download stays for the next.
    """
    with explain_disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        return [_one(file, source, out) for file in source.files]


def _one(file: RemoteFile, source: Source, out: Path) -> Path:
    archive = _fetch(file, source, out)
    if (folder := folder_of(archive)).exists():
        return folder
    try:
        return unpack(archive)
    except BadArchive:
        archive.unlink()
        _record(out, file, None)
        raise


def _fetch(file: RemoteFile, source: Source, out: Path) -> Path:
    """The archive, checked."""
    earlier = _records(out).get(file.name, {})
    known = file.checksum or (earlier.get("checksum") if earlier.get("url") == file.url else None)
    archive = out / file.name
    downloader = ResumingDownloader(out / f"{file.name}.part")
    pooch.get_logger().setLevel("ERROR")  # it advises to write a hash into a program
    try:
        pooch.retrieve(file.url, known, fname=file.name, path=os.fspath(out), downloader=downloader)
    except requests.RequestException as error:
        # No “if response”: that of an error counts as false.
        reason = getattr(getattr(error, "response", None), "reason", None) or type(error).__name__
        way = "check the connection, or get it by hand"
        if downloader.size:
            way = (
                f"{downloader.size / 1e6:.1f} MB came: run the command again, it goes on from there, or get it by hand"
            )
        raise InputError(
            f'{file.url} cannot be downloaded ({reason}); {way} from {source.page} and put it into "{out}".'
        ) from error
    except ValueError as error:  # of pooch, which has removed what came
        archive.unlink(missing_ok=True)
        whose = "its host publishes" if file.checksum else f"“{RECORD}” has of the first download"
        raise InputError(
            f"“{file.name}” from {file.url} is not the one whose checksum {whose}, and was removed; try again "
            f"later, or read on {source.page} whether it has changed."
        ) from error
    _record(out, file, known or f"sha256:{pooch.file_hash(os.fspath(archive))}")
    return archive


def _records(out: Path) -> dict[str, Any]:
    path = out / RECORD
    if not path.exists():
        return {}
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        return {name: dict(entry) for name, entry in held.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f'"{path}" cannot be read; remove it, and the downloads are trusted as they are.') from error


def _record(out: Path, file: RemoteFile, checksum: str | None) -> None:
    """Keep a checksum for the next time, or forget it if None."""
    held = _records(out)
    if checksum is None:
        held.pop(file.name, None)
    else:
        held[file.name] = {"url": file.url, "checksum": checksum, "published": bool(file.checksum)}
    write_json_atomically(out / RECORD, held)
