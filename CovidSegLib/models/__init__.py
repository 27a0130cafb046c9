"""Models: a recipe with weights and a card. They are listed, found and verified by SHA-256 without loading torch.

A model is a folder of `model.safetensors`, `card.json` and, unless its recipe is one of the library's, `recipe.toml`.
It comes with CovidSeg, is one of the user's own, or is a finished training run that is named by its path.
"""

from __future__ import annotations

from .catalogue import DEFAULT, find_model, installed, names
from .folders import CARD_FILE, FILES, RECIPE_FILE, WEIGHTS, WEIGHTS_FILE, user_folder
from .model import Model, open_model

__all__ = [
    "CARD_FILE",
    "DEFAULT",
    "FILES",
    "RECIPE_FILE",
    "WEIGHTS",
    "WEIGHTS_FILE",
    "Model",
    "find_model",
    "installed",
    "names",
    "open_model",
    "user_folder",
]
