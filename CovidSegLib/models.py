"""Models: a recipe with weights and a card. Found, verified by SHA-256 and listed without loading torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import InputError

WEIGHTS = Path(__file__).parent / "weights"
DEFAULT = "unet-cascade"


@dataclass(frozen=True)
class Model:
    """A trained model on disk: a folder of `model.safetensors` and `card.json`.

    Attributes:
        folder: Where it lies; its name is the model's.
        card: What is known of it: title, summary, recipe, sha256, threshold, data, licence, results, limits.
    """

    folder: Path
    card: dict[str, Any]

    @property
    def name(self) -> str:
        """Short name, as typed."""
        return self.folder.name

    @property
    def title(self) -> str:
        """Name as shown."""
        return str(self.card["title"])

    @property
    def summary(self) -> str:
        """One sentence on what it is."""
        return str(self.card["summary"])

    @property
    def recipe(self) -> str:
        """Name of its recipe."""
        return str(self.card["recipe"])

    @property
    def threshold(self) -> float:
        """Probability from which a voxel counts as infection."""
        return float(self.card["threshold"])

    @property
    def weights(self) -> Path:
        """The safetensors file: tensors named STAGE.PARAMETER, in float16."""
        return self.folder / "model.safetensors"

    def verified_weights(self) -> bytes:
        """The weights file, read once and compared with the card's SHA-256.

        Raises:
            InputError: The file is missing or is not the one that the card describes.
        """
        try:
            data = self.weights.read_bytes()
        except OSError as error:
            raise InputError(
                f"The weights of the model “{self.name}” are missing or cannot be read; please install CovidSeg again."
            ) from error
        if hashlib.sha256(data).hexdigest() != self.card["sha256"]:
            raise InputError(
                f"The weights of the model “{self.name}” are not those that were released (their SHA-256 differs); "
                "they are not used. Please install CovidSeg again."
            )
        return data


def installed() -> list[Model]:
    """All models with a readable card, the default first."""
    found = []
    for path in sorted(WEIGHTS.glob("*/card.json")):
        found.append(Model(path.parent, json.loads(path.read_text(encoding="utf-8"))))
    return sorted(found, key=lambda model: (model.name != DEFAULT, model.name))


def find(name: str | None = None) -> Model:
    """A model by name; the default if None.

    Raises:
        InputError: There is none of that name.
    """
    models = installed()
    for model in models:
        if model.name == (name or DEFAULT):
            return model
    there = ", ".join(model.name for model in models) or "none"
    raise InputError(f"There is no model “{name or DEFAULT}”; installed are: {there}.")
