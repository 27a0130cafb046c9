"""Models without trained weights, to see that a recipe runs and how fast."""

from __future__ import annotations

from pathlib import Path

from ..recipes import outline, recipe_title
from .model import Model


def untrained_model(recipe: str, ablation: str | None = None) -> Model:
    """Return a recipe as a model without weights. Its networks are initialised from a fixed seed.

    Args:
        recipe: Name of a recipe, or path of its TOML file.
        ablation: Name of an ablation of the recipe, see `recipes.load`.

    Raises:
        InputError: There is no such recipe, or no such ablation.
    """
    name = recipe_title(recipe, ablation)
    finding = outline(recipe, ablation).infection.finding
    card = {
        "title": f"{name} (untrained)",
        "summary": "A recipe without trained weights: its masks are meaningless.",
        "recipe": recipe,
        "ablation": ablation,
        "finding": finding,
        "sha256": None,
        "licence": "",
        "threshold": 0.5,
    }
    return Model(Path(f"{name}-untrained"), card)
