"""The user's own models: added completely or not at all, changed and removed."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..storage.atomic import write_json_atomically
from ..storage.disk_errors import explain_disk_errors
from ..storage.limited import parse_json, read_limited
from ..storage.staging import staged_files
from . import folders
from .card import check_card, check_graph_sha256, check_sha256
from .catalogue import names
from .folders import CARD_FILE, FILES, GRAPH_FILES, RECIPE_FILE, SIZE_LIMITS, WEIGHTS_FILE
from .model import Model, open_model

#: Names that are valid names of folders on every system and cannot be paths.
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9_-])?")


def add_model(files: Mapping[str, bytes], name: str, folder: Path | None = None, *, overwrite: bool = False) -> Model:
    """Check the files of a model and write them into a folder of models.

    Args:
        files: Contents by name, see `models.FILES`. recipe.toml may be left out if the recipe is one of the library's.
        name: Name of the model.
        folder: The folder of models; the user's own if None.
        overwrite: Replace an earlier model of this name.

    Raises:
        InputError: The name cannot be used or is taken, the card lacks something, the weights are not those of the card
            or do not fit the recipe, or the folder cannot be written. The folder is then as it was.
    """
    folder = check_name(name, folder, overwrite=overwrite)
    check_model_files(files, name)
    with staged_files(folder / name, FILES, overwrite=overwrite) as staged:
        for file in FILES:
            if file in files:
                (staged / file).write_bytes(files[file])
    return open_model(folder / name)


def check_name(name: str, folder: Path | None = None, *, overwrite: bool = False) -> Path:
    """Check that a model can be added under a name.

    Args:
        name: Name of the model.
        folder: The folder of models; the user's own if None.
        overwrite: An earlier model of this name may be replaced.

    Returns:
        The folder of models.

    Raises:
        InputError: The name cannot be used or is taken.
    """
    folder = folders.user_folder() if folder is None else folder
    if not NAME.fullmatch(name):
        raise InputError(
            f'"{name}" cannot be the name of a model. Use up to 64 letters, digits, hyphens, dots and underscores, '
            "starting with a letter or digit."
        )
    if folder.resolve() != folders.WEIGHTS.resolve() and (folders.WEIGHTS / name).exists():
        raise InputError(f'The model "{name}" comes with CovidSeg. Choose another name.')
    if (folder / name / CARD_FILE).exists() and not overwrite:
        raise InputError(f'There is already a model "{name}". Choose another name, or allow overwriting.')
    return folder


def update_card(model: Model, changes: Mapping[str, Any]) -> Model:
    """Change keys of a model's card. The weights and their SHA-256 stay as they are.

    Args:
        model: The model.
        changes: New values by key.

    Raises:
        InputError: The card would lack something, or cannot be written.
    """
    card = check_card({**model.card, **changes}, f'The card of the model "{model.name}"', model.remedy)
    path = model.folder / CARD_FILE
    with explain_disk_errors(path, remedy="Check the permissions of the model's folder.", if_full="Free some space."):
        write_json_atomically(path, card)
    return open_model(model.folder)


def check_model_files(files: Mapping[str, bytes], name: str) -> None:
    """Check that files are a model: a complete card, the weights that it describes, and a recipe that they fit.

    Args:
        files: Contents by name.
        name: Name of the model, for error messages.

    Raises:
        InputError: They are not a model.
    """
    from .. import recipes
    from .loading import check_weights  # torch takes seconds

    if missing := [file for file in (WEIGHTS_FILE, CARD_FILE) if file not in files]:
        raise InputError(
            f'"{name}" is not a complete model: {" and ".join(missing)} missing. Ask its author for all files.'
        )
    remedy = "Ask its author for another copy."
    subject = f'The card of the model "{name}"'
    try:
        card = parse_json(files[CARD_FILE])
    except ValueError as error:
        raise InputError(f"{subject} cannot be read. {remedy}") from error
    check_card(card, subject, remedy)
    check_sha256(files[WEIGHTS_FILE], card, name, remedy)
    for stage in card.get("graphs", {}):
        if GRAPH_FILES.get(stage) not in files:
            raise InputError(f'"{name}" is not a complete model: its exported networks are missing. {remedy}')
        check_graph_sha256(files[GRAPH_FILES[stage]], card, stage, name, remedy)
    with tempfile.TemporaryDirectory(prefix="covidseg-") as temporary:
        own_recipe = Path(temporary) / RECIPE_FILE
        own_recipe.write_bytes(files.get(RECIPE_FILE, b""))
        recipe = recipes.load(str(own_recipe) if RECIPE_FILE in files else card["recipe"])
    check_weights(recipe, files[WEIGHTS_FILE], name, remedy)


def read_model_files(folder: Path) -> dict[str, bytes]:
    """Read the files of the model in a folder; other files there are ignored.

    Returns:
        Contents by name, see `models.FILES`.

    Raises:
        InputError: A file cannot be read.
    """
    try:
        return {file: read_limited(folder / file, SIZE_LIMITS[file]) for file in FILES if (folder / file).exists()}
    except OSError as error:
        raise InputError(f'"{error.filename}" cannot be read ({error.strerror}). Check the folder.') from error


def remove(name: str) -> None:
    """Remove one of the user's own models. Other files in its folder stay.

    Raises:
        InputError: There is no such model, it comes with CovidSeg, or it cannot be removed.
    """
    if (folders.WEIGHTS / name / CARD_FILE).is_file():
        raise InputError(
            f'The model "{name}" comes with CovidSeg and is not removed. Only your own models can be removed.'
        )
    folder = folders.user_folder() / name
    if name not in names():
        own = ", ".join(each for each in names() if not (folders.WEIGHTS / each).is_dir())
        raise InputError(f'You have no model "{name}" of your own. Your models: {own or "none"}.')
    try:
        for file in (CARD_FILE, *FILES):  # card first: without it the rest is not listed as a model
            (folder / file).unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f'"{error.filename}" cannot be removed ({error.strerror}). Close the programs that use it.'
        ) from error
    with contextlib.suppress(OSError):  # the folder has other files
        folder.rmdir()
