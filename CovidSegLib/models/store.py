"""The user's own models: put in place whole or not at all, and removed."""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..storage.atomic import write_json_atomically
from ..storage.disk_errors import explain_disk_errors
from ..storage.staging import staged_files
from . import (
    CARD_FILE,
    FILES,
    RECIPE_FILE,
    WEIGHTS,
    WEIGHTS_FILE,
    Model,
    at,
    check_card,
    check_sha256,
    names,
    user_folder,
)

#: What a model may be called: it is the name of a folder on any system, and no path.
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9_-])?")


def put(files: Mapping[str, bytes], name: str, place: Path | None = None, *, overwrite: bool = False) -> Model:
    """Put a model into a folder of models, after a look at all of it.

    Args:
        files: Contents by name, of `FILES`; the recipe may be left out where it is one of the library's.
        name: What the model will be called.
        place: The folder of models; the user's own if None.
        overwrite: Replace an earlier model of this name.

    Raises:
        InputError: The name cannot be used or is taken, the card lacks something, the weights are not those of the card
            or do not fit the recipe, or the folder cannot be written; it is then as it was.
    """
    place = user_folder() if place is None else place
    _check_name(name, place, overwrite)
    check_files(files, name)
    with staged_files(place / name, FILES, overwrite=overwrite) as new:
        for file in FILES:
            if file in files:
                (new / file).write_bytes(files[file])
    return at(place / name)


def update_card(model: Model, changes: Mapping[str, Any]) -> Model:
    """Put something into a model's card, and nothing else: its weights stay those that the card describes.

    Args:
        model: Where it lies.
        changes: Keys of the card with their new values.

    Raises:
        InputError: The card would lack something, or cannot be written.
    """
    card = check_card({**model.card, **changes}, f"The card of the model “{model.name}”", model.remedy)
    path = model.folder / CARD_FILE
    with explain_disk_errors(path, remedy="Check the permissions of the model's folder.", if_full="Free some space."):
        write_json_atomically(path, card)
    return at(model.folder)


def check_files(files: Mapping[str, bytes], name: str) -> None:
    """Whether files are a model: a card that says all it must, the weights that it describes, and a recipe they fit.

    Raises:
        InputError: They are none.
    """
    from .. import recipes
    from .loading import check_weights  # torch takes seconds

    if lacking := [file for file in (WEIGHTS_FILE, CARD_FILE) if file not in files]:
        raise InputError(f"“{name}” is no model: {' and '.join(lacking)} missing; ask whoever made it for the whole.")
    remedy = "ask whoever made it for another copy"
    start = f"The card of the model “{name}”"
    try:
        card = json.loads(files[CARD_FILE])
    except ValueError as error:
        raise InputError(f"{start} cannot be read; {remedy}.") from error
    check_card(card, start, remedy)
    check_sha256(files[WEIGHTS_FILE], card, name, remedy)
    with tempfile.TemporaryDirectory(prefix="covidseg-") as folder:
        (own := Path(folder) / RECIPE_FILE).write_bytes(files.get(RECIPE_FILE, b""))
        recipe = recipes.load(str(own) if RECIPE_FILE in files else card["recipe"])
    check_weights(recipe, files[WEIGHTS_FILE], name, remedy)


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a model in a folder, and nothing else that lies there.

    Raises:
        InputError: One cannot be read.
    """
    try:
        return {file: (folder / file).read_bytes() for file in FILES if (folder / file).exists()}
    except OSError as error:
        raise InputError(f'"{error.filename}" cannot be read ({error.strerror}); check the folder.') from error


def remove(name: str) -> None:
    """Remove one of the user's own models; what else lies in its folder stays.

    Raises:
        InputError: There is none of that name, it comes with the library, or it cannot be removed.
    """
    if (WEIGHTS / name / CARD_FILE).is_file():
        raise InputError(f"The model “{name}” comes with CovidSeg and is not removed; only models of your own are.")
    folder = user_folder() / name
    if name not in names():
        own = ", ".join(each for each in names() if not (WEIGHTS / each).is_dir())
        raise InputError(f"There is no model “{name}” of your own; yours are: {own or 'none'}.")
    try:
        for file in (CARD_FILE, WEIGHTS_FILE, RECIPE_FILE):  # without its card it is no model any more
            (folder / file).unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f'"{error.filename}" cannot be removed ({error.strerror}); close what uses it.') from error
    with contextlib.suppress(OSError):  # something else lies there
        folder.rmdir()


def _check_name(name: str, place: Path, overwrite: bool) -> None:
    if not NAME.fullmatch(name):
        raise InputError(
            f"“{name}” cannot be the name of a model; take letters, digits, hyphens, dots and underscores, 64 at most, "
            "with a letter or digit first."
        )
    if place.resolve() != WEIGHTS.resolve() and (WEIGHTS / name).exists():
        raise InputError(f"The model “{name}” comes with CovidSeg; choose another name.")
    if (place / name / CARD_FILE).exists() and not overwrite:
        raise InputError(f"There is a model “{name}” already; choose another name, or allow overwriting.")
