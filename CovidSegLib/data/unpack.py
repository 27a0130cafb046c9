"""Archives that are unpacked into a folder, whole or not at all, and nowhere else."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from ..errors import InputError


class BadArchive(InputError):
    """It is none, is damaged, or would write elsewhere; not worth keeping."""


def folder_of(archive: Path) -> Path:
    """Where it is unpacked: beside it, under its name."""
    return archive.with_name(archive.name.removesuffix(".gz").rsplit(".", 1)[0])


def unpack(archive: Path) -> Path:
    """Unpack a .zip, .tar or .tar.gz file; returns the folder, which must not be there yet.

    A folder of that same name at the top of the archive is not doubled.

    Raises:
        BadArchive: It cannot be read, or holds something that would be written outside of the folder.
        InputError: The disk is full, or cannot be written.
    """
    out = folder_of(archive)
    try:
        with tempfile.TemporaryDirectory(prefix=".covidseg-", dir=archive.parent) as temporary:
            whole = Path(temporary) / out.name
            if tarfile.is_tarfile(archive):
                with tarfile.open(archive) as tar:
                    tar.extractall(whole, filter="data")
            else:
                with zipfile.ZipFile(archive) as held:
                    for name in held.namelist():
                        _check(name, archive)
                    held.extractall(whole)
            top = list(whole.iterdir()) if whole.is_dir() else []
            (top[0] if [path.name for path in top if path.is_dir()] == [out.name] else whole).rename(out)
    except tarfile.FilterError as error:
        raise _escaping(archive, error.tarinfo.name) from error
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise BadArchive(f"“{archive.name}” is no archive that can be read ({error}); download it again.") from error
    except OSError as error:
        room = shutil.disk_usage(archive.parent).free / 1e9
        raise InputError(
            f"“{archive.name}” cannot be unpacked ({error.strerror or error}); there are {room:.1f} GB of room: free "
            "some space or choose another folder."
        ) from error
    return out


def _check(name: str, archive: Path) -> None:
    place = PurePosixPath(name)
    if place.is_absolute() or ".." in place.parts or "\\" in name or ":" in name:
        raise _escaping(archive, name)


def _escaping(archive: Path, name: str) -> BadArchive:
    return BadArchive(f"“{archive.name}” holds a file that would be written elsewhere (“{name}”); it is not used.")
