"""Download and unpack public data sets. Nothing is ever uploaded."""

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
from .unpack import BadArchive, unpack, unpacked_folder

#: File in the folder of a data set with the address and checksum of each download.
RECORD = "downloads.json"


def download(source: Source, out: Path) -> list[Path]:
    """Download the missing files of a data set, verify the checksums of all files, and unpack each into a folder.

    A file without a published checksum is compared with the SHA-256 of its first download, which is in `RECORD`.

    Args:
        source: The data set, from `sources.find_source`.
        out: Folder for the archives and their contents; created if it does not exist.

    Returns:
        The folder of each archive.

    Raises:
        InputError: A file cannot be downloaded, has another checksum (it is removed), or the folder cannot be written.
            What has arrived of an interrupted download is kept, and the next call continues from there.
    """
    with explain_disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        return [_download_and_unpack(file, source, out) for file in source.files]


def _download_and_unpack(file: RemoteFile, source: Source, out: Path) -> Path:
    archive = _download_verified(file, source, out)
    if (folder := unpacked_folder(archive)).exists():
        return folder
    try:
        return unpack(archive)
    except BadArchive:
        archive.unlink()
        _write_record(out, file, None)
        raise


def _download_verified(file: RemoteFile, source: Source, out: Path) -> Path:
    """Return the archive with a verified checksum."""
    earlier = _read_records(out).get(file.name, {})
    checksum = file.checksum or (earlier.get("checksum") if earlier.get("url") == file.url else None)
    archive = out / file.name
    downloader = ResumingDownloader(out / f"{file.name}.part")
    pooch.get_logger().setLevel("ERROR")  # it logs advice for programmers
    try:
        pooch.retrieve(file.url, checksum, fname=file.name, path=os.fspath(out), downloader=downloader)
    except requests.RequestException as error:
        # A response with an error status is false, so `error.response and ...` would not work.
        reason = getattr(getattr(error, "response", None), "reason", None) or type(error).__name__
        remedy = "Check the connection"
        if downloader.size:
            remedy = f"{downloader.size / 1e6:.1f} MB have arrived: run the command again to continue from there"
        raise InputError(
            f"{file.url} cannot be downloaded ({reason}). {remedy}, or download it by hand from {source.page} and put "
            f'it into "{out}".'
        ) from error
    except ValueError as error:  # from pooch, which has removed its download
        archive.unlink(missing_ok=True)
        origin = "its host publishes" if file.checksum else f'"{RECORD}" has from the first download'
        raise InputError(
            f'"{file.name}" from {file.url} does not have the checksum that {origin}, and was removed. Try again '
            f"later, or look at {source.page} for a new version."
        ) from error
    _write_record(out, file, checksum or f"sha256:{pooch.file_hash(os.fspath(archive))}")
    return archive


def _read_records(out: Path) -> dict[str, Any]:
    path = out / RECORD
    if not path.exists():
        return {}
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
        return {name: dict(entry) for name, entry in records.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f'"{path}" cannot be read. Remove it to trust the downloaded files as they are.') from error


def _write_record(out: Path, file: RemoteFile, checksum: str | None) -> None:
    """Keep the checksum of a file for the next download, or remove it if None."""
    records = _read_records(out)
    if checksum is None:
        records.pop(file.name, None)
    else:
        records[file.name] = {"url": file.url, "checksum": checksum, "published": bool(file.checksum)}
    write_json_atomically(out / RECORD, records)
