"""The models on this computer: those that come with CovidSeg and the user's own."""

from __future__ import annotations

import contextlib
from pathlib import Path

from ..errors import InputError
from . import folders
from .model import Model, open_model

#: Name of the model that is used unless another is chosen.
DEFAULT = "qc-hc-cascade"


def names() -> list[str]:
    """Return the names of all installed models, the default first. Their cards may be unreadable."""
    cards = [
        card for folder in (folders.WEIGHTS, folders.user_folder()) for card in folder.glob(f"*/{folders.CARD_FILE}")
    ]
    return sorted({card.parent.name for card in cards}, key=lambda name: (name != DEFAULT, name))


def installed() -> list[Model]:
    """Return all installed models whose cards can be used, the default first."""
    usable = []
    for name in names():
        with contextlib.suppress(InputError):
            usable.append(find_model(name))
    return usable


def find_model(name: str | Path | None = None) -> Model:
    """Find a model.

    Args:
        name: Name of an installed model, or path of the folder of a finished training run; the default model if None.
            A model of the library wins over one of the user's with the same name.

    Raises:
        InputError: There is no such model, or its card cannot be used.

    Example:
        >>> find_model().name == DEFAULT
        True
    """
    name = str(name or DEFAULT)
    if name in names():
        shipped = (folders.WEIGHTS / name / folders.CARD_FILE).is_file()
        return open_model((folders.WEIGHTS if shipped else folders.user_folder()) / name)
    folder = Path(name)
    if folder.is_dir() and folder.resolve().name:
        if not (folder / folders.CARD_FILE).is_file():
            raise InputError(
                f'The folder "{name}" does not contain a model ({folders.CARD_FILE} is missing). Give the folder of a '
                f"finished training run or the name of an installed model: {', '.join(names()) or 'none'}."
            )
        return open_model(folder.resolve())
    raise InputError(f'There is no model "{name}". Installed models: {", ".join(names()) or "none"}.')
