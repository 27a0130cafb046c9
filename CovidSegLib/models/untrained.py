"""A recipe without trained weights, as a model: to see that it runs, and how fast."""

from __future__ import annotations

from pathlib import Path

from ..recipes import recipe_title
from . import Model


def untrained(recipe: str, ablation: str | None = None) -> Model:
    """The model of a recipe without weights, whose networks start from a fixed seed.

    Args:
        recipe: Its name, or the path of its TOML file.
        ablation: The row of its ablation that is meant, as of `recipes.load`.

    Raises:
        InputError: There is no such recipe, or no such row.
    """
    name = recipe_title(recipe, ablation)
    card = {
        "title": f"{name} (untrained)",
        "summary": "A recipe without trained weights: what it marks means nothing.",
        "recipe": recipe,
        "ablation": ablation,
        "sha256": None,
        "licence": "",
        "threshold": 0.5,
    }
    return Model(Path(f"{name}-untrained"), card)
