"""Unpack archives completely or not at all, and only into their own folder."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from ..errors import InputError


class BadArchive(InputError):
    """The file is not an archive, is damaged, or would write outside its folder. It is not worth keeping."""


def unpacked_folder(archive: Path) -> Path:
    """Return the folder of an unpacked archive: beside it, with its name."""
    return archive.with_name(archive.name.removesuffix(".gz").rsplit(".", 1)[0])


def unpack(archive: Path) -> Path:
    """Unpack a .zip, .tar or .tar.gz file.

    If the archive contains just one folder of the same name, that folder is not nested in another.

    Args:
        archive: The file; its folder must not exist yet.

    Returns:
        The folder.

    Raises:
        BadArchive: The archive cannot be read, or contains a file that would be written outside the folder.
        InputError: The disk is full or cannot be written.
    """
    out = unpacked_folder(archive)
    try:
        with tempfile.TemporaryDirectory(prefix=".covidseg-", dir=archive.parent) as temporary:
            unpacked = Path(temporary) / out.name
            if tarfile.is_tarfile(archive):
                with tarfile.open(archive) as tar:
                    tar.extractall(unpacked, filter="data")
            else:
                with zipfile.ZipFile(archive) as zipped:
                    for name in zipped.namelist():
                        _check_member(name, archive)
                    zipped.extractall(unpacked)
            top = list(unpacked.iterdir()) if unpacked.is_dir() else []
            (top[0] if [path.name for path in top if path.is_dir()] == [out.name] else unpacked).rename(out)
    except tarfile.FilterError as error:
        raise _escaping(archive, error.tarinfo.name) from error
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise BadArchive(f'"{archive.name}" is not a readable archive ({error}). Download it again.') from error
    except OSError as error:
        free = shutil.disk_usage(archive.parent).free / 1e9
        raise InputError(
            f'"{archive.name}" cannot be unpacked ({error.strerror or error}); {free:.1f} GB are free. Free some space '
            "or choose another folder."
        ) from error
    return out


def _check_member(name: str, archive: Path) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name:
        raise _escaping(archive, name)


def _escaping(archive: Path, name: str) -> BadArchive:
    return BadArchive(
        f'"{archive.name}" contains a file that would be written outside its folder ("{name}"), and is not used.'
    )
