"""Models as .zip files of model.safetensors, card.json and recipe.toml, to take them to another computer."""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from ..errors import InputError
from ..storage.atomic import write_atomically
from ..storage.disk_errors import explain_disk_errors
from .folders import CARD_FILE, FILES, RECIPE_FILE, WEIGHTS_FILE
from .model import Model
from .store import add_model, read_model_files

#: Bytes at most of each file. A thousand million weights in float16 fit, and cards and recipes as long as books.
SIZE_LIMITS = {WEIGHTS_FILE: 2_000_000_000, CARD_FILE: 10_000_000, RECIPE_FILE: 10_000_000}
#: Seconds without an answer after which a download fails.
TIMEOUT = 30


def install(source: str, *, name: str | None = None, sha256: str | None = None, overwrite: bool = False) -> Model:
    """Check a model from a file, a folder or an address completely, and add it to the user's own models.

    Args:
        source: A .zip file, a folder, or the address of a .zip file (https, or http with `sha256`).
        name: Name of the model; that of the file or folder if None.
        sha256: Expected hash of the .zip file, or of the weights in a folder, in hexadecimal digits.
        overwrite: Replace an earlier model of this name.

    Raises:
        InputError: The source cannot be read or downloaded, is not a model, or does not have the hash `sha256`. Nothing
            of it is kept.
    """
    if "://" in source:
        with tempfile.TemporaryDirectory(prefix="covidseg-") as folder:
            name = name or PurePosixPath(urlsplit(source).path).stem
            return install(str(_download(source, Path(folder), sha256)), name=name, overwrite=overwrite)
    path = Path(source)
    if path.is_dir():
        files = read_model_files(path)
        hashed, what = files.get(WEIGHTS_FILE, b""), f'{WEIGHTS_FILE} in "{path.name}"'
        name = name or path.resolve().name
    else:
        try:
            hashed, what = path.read_bytes(), f'"{path.name}"'
        except OSError as error:
            raise InputError(f'"{source}" cannot be read ({error.strerror}). Give a .zip file or a folder.') from error
        files = _read_archive(path)
        name = name or path.stem
    if sha256 is not None and hashlib.sha256(hashed).hexdigest() != sha256.lower():
        raise InputError(f"{what} does not have the hash that --sha256 gives, and is not used. Ask for it again.")
    return add_model(files, name, overwrite=overwrite)


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


def _read_archive(path: Path) -> dict[str, bytes]:
    """Read the files of the model in an archive, from its top or the only folder there. Nothing is extracted."""
    try:
        with zipfile.ZipFile(path) as archive:
            files: dict[str, bytes] = {}
            for entry in archive.infolist():
                inner = PurePosixPath(entry.filename)
                if inner.is_absolute() or ".." in inner.parts or "\\" in entry.filename or ":" in entry.filename:
                    raise InputError(
                        f'"{path.name}" contains a file that would be written outside its folder ("{entry.filename}"), '
                        "and is not used. Ask its author."
                    )
                if entry.is_dir() or inner.name not in FILES or len(inner.parts) > 2:
                    continue
                if inner.name in files:
                    raise InputError(f'"{path.name}" contains more than one {inner.name}. Give a file of one model.')
                if entry.file_size > SIZE_LIMITS[inner.name]:
                    raise InputError(f'{inner.name} in "{path.name}" is too large for a model. Check the file.')
                files[inner.name] = archive.read(entry)
            return files
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,  # the archive is encrypted
        EOFError,
        zlib.error,
    ) as error:
        raise InputError(f'"{path.name}" is not a readable .zip file ({error}). Ask for it again.') from error


def _download(address: str, folder: Path, sha256: str | None) -> Path:
    scheme = urlsplit(address).scheme
    if scheme != "https" and not (scheme == "http" and sha256):
        raise InputError(
            f"A download from {address} could be changed on its way. Give an address that begins with https, or with "
            "http and the file's --sha256."
        )
    import pooch
    import requests

    pooch.get_logger().setLevel("ERROR")  # it logs advice for programmers
    try:
        return Path(
            pooch.retrieve(
                address,
                f"sha256:{sha256.lower()}" if sha256 else None,
                fname="model.zip",
                path=os.fspath(folder),
                downloader=pooch.HTTPDownloader(timeout=TIMEOUT),
            )
        )
    except requests.RequestException as error:
        reason = getattr(getattr(error, "response", None), "reason", None) or type(error).__name__
        raise InputError(f"{address} cannot be downloaded ({reason}). Check the address and the connection.") from error
    except ValueError as error:
        raise InputError(
            f"The file at {address} does not have the hash that --sha256 gives, and is not used."
        ) from error
