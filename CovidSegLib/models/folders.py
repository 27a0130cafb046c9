"""Where models are stored, and which files each of them has."""

from __future__ import annotations

import os
from pathlib import Path

from ..storage.limited import LONGEST_TEXT
from ..storage.user_data import user_data_folder

#: Folder of the models that come with CovidSeg.
WEIGHTS = Path(__file__).parents[1] / "weights"
WEIGHTS_FILE, CARD_FILE, RECIPE_FILE = "model.safetensors", "card.json", "recipe.toml"
#: Exported networks, without their weights, by the name of their stage.
GRAPH_FILES = {"lungs": "lungs.onnx", "infection": "infection.onnx"}
#: All files of a model; other files in its folder do not belong to it.
FILES = (WEIGHTS_FILE, CARD_FILE, RECIPE_FILE, *GRAPH_FILES.values())
#: Bytes at most of each file. A thousand million weights in float16 fit.
SIZE_LIMITS = {
    WEIGHTS_FILE: 2_000_000_000,
    CARD_FILE: LONGEST_TEXT,
    RECIPE_FILE: LONGEST_TEXT,
    **dict.fromkeys(GRAPH_FILES.values(), 10_000_000),
}


def user_folder() -> Path:
    """Return the folder of the user's own models: COVIDSEG_MODELS, or one in the folder for application data."""
    if folder := os.environ.get("COVIDSEG_MODELS"):
        return Path(folder)
    return user_data_folder("models")
