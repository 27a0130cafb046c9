"""Models that go from one computer to another: a .zip file of model.safetensors, card.json and recipe.toml."""

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
from . import CARD_FILE, FILES, RECIPE_FILE, WEIGHTS_FILE, Model, store

#: Larger files are no model: weights of a thousand million parameters, a card and a recipe of a book's length.
LARGEST = {WEIGHTS_FILE: 2_000_000_000, CARD_FILE: 10_000_000, RECIPE_FILE: 10_000_000}
#: Seconds without an answer after which a download ends.
PATIENCE = 30


def install(source: str, *, name: str | None = None, sha256: str | None = None, overwrite: bool = False) -> Model:
    """Put a model from a file, a folder or an address among the user's own, after a look at all of it.

    Args:
        source: A .zip file, a folder, or the address of a .zip file (https, or http with `sha256`).
        name: What the model will be called; as the file or the folder if None.
        sha256: Of the .zip file, or of the weights in a folder, in hexadecimal digits.
        overwrite: Replace an earlier model of this name.

    Raises:
        InputError: It cannot be read or downloaded, is no model, or is not the one that `sha256` names; nothing of it
            is kept then.
    """
    if "://" in source:
        with tempfile.TemporaryDirectory(prefix="covidseg-") as folder:
            name = name or PurePosixPath(urlsplit(source).path).stem
            return install(str(_download(source, Path(folder), sha256)), name=name, overwrite=overwrite)
    path = Path(source)
    if path.is_dir():
        files = store.contents(path)
        checked, what = files.get(WEIGHTS_FILE, b""), f"{WEIGHTS_FILE} in “{path.name}”"
        name = name or path.resolve().name
    else:
        try:
            checked, what = path.read_bytes(), f"“{path.name}”"
        except OSError as error:
            raise InputError(f'"{source}" cannot be read ({error.strerror}); give a .zip file or a folder.') from error
        files = _unpacked(path)
        name = name or path.stem
    if sha256 is not None and hashlib.sha256(checked).hexdigest() != sha256.lower():
        raise InputError(f"{what} is not the one that --sha256 names; it is not used: ask for it again.")
    return store.put(files, name, overwrite=overwrite)


def export(model: Model, out: Path, *, overwrite: bool = False) -> None:
    """Write a model as a .zip file that `install` takes, with its recipe.

    Raises:
        InputError: Its weights are not those of its card, or the file is there already or cannot be written.
    """
    from .. import recipes

    if out.exists() and not overwrite:
        raise InputError(f'There is a file "{out}" already; choose another name, or allow overwriting.')
    files = store.contents(model.folder)
    files[WEIGHTS_FILE] = model.verified_weights()
    files.setdefault(RECIPE_FILE, recipes.resolved_toml(model.recipe, model.card.get("ablation")).encode())

    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file, content in files.items():
                archive.writestr(file, content)

    with explain_disk_errors(out):
        write_atomically(out, write)


def _unpacked(path: Path) -> dict[str, bytes]:
    """The files of the model in an archive, at its top or in the one folder there; read, and not written anywhere."""
    try:
        with zipfile.ZipFile(path) as archive:
            found: dict[str, bytes] = {}
            for entry in archive.infolist():
                place = PurePosixPath(entry.filename)
                if place.is_absolute() or ".." in place.parts or "\\" in entry.filename or ":" in entry.filename:
                    raise InputError(
                        f"“{path.name}” holds a file that would be written elsewhere (“{entry.filename}”); it is not "
                        "used: ask whoever made it."
                    )
                if entry.is_dir() or place.name not in FILES or len(place.parts) > 2:
                    continue
                if place.name in found:
                    raise InputError(f"“{path.name}” holds more than one {place.name}; give a file of one model.")
                if entry.file_size > LARGEST[place.name]:
                    raise InputError(f"{place.name} in “{path.name}” is larger than any model's; check the file.")
                found[place.name] = archive.read(entry)
            return found
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
        EOFError,
        zlib.error,
    ) as error:  # RuntimeError: encrypted
        raise InputError(f"“{path.name}” is no .zip file that can be read ({error}); ask for it again.") from error


def _download(address: str, folder: Path, sha256: str | None) -> Path:
    scheme = urlsplit(address).scheme
    if scheme != "https" and not (scheme == "http" and sha256):
        raise InputError(
            f"What comes from {address} could be changed on its way; give an address that begins with https, or with "
            "http the file's --sha256."
        )
    import pooch
    import requests

    pooch.get_logger().setLevel("ERROR")  # it advises to write a hash into a program
    try:
        return Path(
            pooch.retrieve(
                address,
                f"sha256:{sha256.lower()}" if sha256 else None,
                fname="model.zip",
                path=os.fspath(folder),
                downloader=pooch.HTTPDownloader(timeout=PATIENCE),
            )
        )
    except requests.RequestException as error:
        reason = getattr(getattr(error, "response", None), "reason", None) or type(error).__name__
        raise InputError(f"{address} cannot be downloaded ({reason}); check the address and the connection.") from error
    except ValueError as error:
        raise InputError(f"The file at {address} is not the one that --sha256 names; it is not used.") from error
