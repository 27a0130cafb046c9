"""A recipe without trained weights, as a model: to see that it runs, and how fast."""

from __future__ import annotations

from pathlib import Path

from ..models import Model
from . import find


def untrained(recipe: str) -> Model:
    """The model of a recipe without weights, whose networks start from a fixed seed.

    Args:
        recipe: Its name, or the path of its TOML file.

    Raises:
        InputError: There is no such recipe.
    """
    path = find(recipe)
    card = {
        "title": f"{path.stem} (untrained)",
        "summary": "A recipe without trained weights: what it marks means nothing.",
        "recipe": recipe,
        "sha256": None,
        "licence": "",
        "threshold": 0.5,
    }
    return Model(Path(f"{path.stem}-untrained"), card)
