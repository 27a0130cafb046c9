"""Models as .zip files of model.safetensors, card.json and recipe.toml, to take them to another computer."""

from __future__ import annotations

import hashlib
import struct
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from ..errors import InputError
from ..storage.atomic import write_atomically
from ..storage.disk_errors import explain_disk_errors
from ..storage.limited import check_regular_file
from .fetch import fetch, name_in_address
from .folders import FILES, RECIPE_FILE, SIZE_LIMITS, WEIGHTS_FILE
from .model import Model
from .store import add_model, read_model_files

#: Bytes of the largest .zip file: all files of a model, not compressed, and some room for others.
LARGEST_ARCHIVE = sum(SIZE_LIMITS.values()) + 10_000_000
#: Bytes of the largest table of contents, which Python reads as a whole: that of a model has some hundred bytes, and
#: there is room for thousands of other files.
LARGEST_TABLE = 1_000_000
#: Ways of compression whose output can be limited.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
CHUNK = 1 << 20


def install(source: str, *, name: str | None = None, sha256: str | None = None, overwrite: bool = False) -> Model:
    """Check a model from a file, a folder or an address completely, and add it to the user's own models.

    Args:
        source: A .zip file, a folder, or the address of a .zip file: https, or http with `sha256`.
        name: Name of the model; that of the file or folder if None.
        sha256: Expected hash of the .zip file, or of the weights in a folder, in hexadecimal digits.
        overwrite: Replace an earlier model of this name.

    Raises:
        InputError: The source cannot be read or downloaded, is not a model, or does not have the hash `sha256`. Nothing
            of it is kept.
    """
    if "://" in source:
        with tempfile.TemporaryDirectory(prefix="covidseg-") as folder:
            file = Path(folder) / "model.zip"
            name = name or name_in_address(source)
            fetch(source, file, limit=LARGEST_ARCHIVE, plain_http=sha256 is not None)
            return _install_archive(file, f"The file at {source}", name, sha256, overwrite)
    path = Path(source)
    if not path.is_dir():
        return _install_archive(path, f'"{path.name}"', name or path.stem, sha256, overwrite)
    files = read_model_files(path)
    _check_hash(hashlib.sha256(files.get(WEIGHTS_FILE, b"")), f'{WEIGHTS_FILE} in "{path.name}"', sha256)
    return add_model(files, name or path.resolve().name, overwrite=overwrite)


def _install_archive(path: Path, what: str, name: str, sha256: str | None, overwrite: bool) -> Model:
    try:
        check_regular_file(path, LARGEST_ARCHIVE)
        with path.open("rb") as file:
            _check_hash(hashlib.file_digest(file, "sha256"), what, sha256)
            _check_table(file, what)
        files = _read_archive(path, what)
    except OSError as error:
        raise InputError(f"{what} cannot be read ({error.strerror or error}). Give a .zip file or a folder.") from error
    return add_model(files, name, overwrite=overwrite)


def _check_hash(digest: Any, what: str, sha256: str | None) -> None:
    if sha256 is not None and digest.hexdigest() != sha256.lower():
        raise InputError(f"{what} does not have the hash that --sha256 gives, and is not used. Ask for it again.")


def _check_table(file: BinaryIO, what: str) -> None:
    """Check the size of the table of contents, before `zipfile` reads all of it into memory.

    Raises:
        InputError: It is larger than that of any model, or in the format for archives above 4 GB.
    """
    tail_bytes = 22 + (1 << 16)  # the last record, and the longest comment after it
    start = max(0, file.seek(0, 2) - tail_bytes)
    file.seek(start)
    tail = file.read()
    record = tail.rfind(b"PK\5\6")
    if record < 0 or record + 22 > len(tail):
        return  # not an archive, as `zipfile` will report
    (size,) = struct.unpack_from("<I", tail, record + 12)
    if size > LARGEST_TABLE or tail[max(0, record - 20) :].startswith(b"PK\6\7"):
        raise InputError(f"{what} contains more files than a model has, and is not used. Check that it is a model.")


def export(model: Model, out: Path, *, overwrite: bool = False) -> None:
    """Write a model with its recipe as a .zip file for `install`.

    Raises:
        InputError: The weights are not those that the card describes, or the file exists or cannot be written.
    """
    from .. import recipes

    if out.exists() and not overwrite:
        raise InputError(f'The file "{out}" already exists. Choose another name, or allow overwriting.')
    files = read_model_files(model.folder)
    files[WEIGHTS_FILE] = model.verified_weights()
    files.setdefault(RECIPE_FILE, recipes.resolved_toml(model.recipe, model.card.get("ablation")).encode())

    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file, content in files.items():
                archive.writestr(file, content)

    with explain_disk_errors(out):
        write_atomically(out, write)


def _read_archive(path: Path, what: str) -> dict[str, bytes]:
    """Read the files of the model in an archive, from its top or the only folder there. Nothing is extracted."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _read_entries(archive, what)
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,  # the archive is encrypted
        EOFError,
        ValueError,
        OverflowError,
        struct.error,
        zlib.error,
    ) as error:
        raise InputError(f"{what} is not a readable .zip file ({error}). Ask for it again.") from error


def _read_entries(archive: zipfile.ZipFile, what: str) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for entry in archive.infolist():
        inner = PurePosixPath(entry.filename)
        if inner.is_absolute() or ".." in inner.parts or "\\" in entry.filename or ":" in entry.filename:
            raise InputError(
                f'{what} contains a file that would be written outside its folder ("{entry.filename}"), and is not '
                "used. Ask its author."
            )
        if entry.is_dir() or inner.name not in FILES or len(inner.parts) > 2:
            continue
        if inner.name in files:
            raise InputError(f"{what} contains more than one {inner.name}. Give a file of one model.")
        if entry.compress_type not in METHODS:
            raise InputError(
                f'{inner.name} in {what} is compressed in an unusual way. Compress it again with "deflate".'
            )
        content = _read_entry(archive, entry, SIZE_LIMITS[inner.name])
        if content is None:
            raise InputError(f"{inner.name} in {what} is too large for a model. Check the file.")
        files[inner.name] = content
    return files


def _read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limit: int) -> bytes | None:
    """Read a file of an archive; None if it is larger than the limit, whatever size the archive states."""
    if entry.file_size > limit:
        return None
    content = bytearray()
    with archive.open(entry) as file:
        while len(content) <= limit and (chunk := file.read(CHUNK)):
            content += chunk
    return bytes(content) if len(content) <= limit else None
