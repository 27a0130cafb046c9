"""Models: a recipe with weights and a card. Found, verified by SHA-256 and listed without loading torch."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import InputError

WEIGHTS = Path(__file__).parent / "weights"
DEFAULT = "unet-cascade"
#: What a card must say in words.
TEXTS = ("title", "summary", "recipe", "sha256", "licence")


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
    def trained(self) -> bool:
        """Whether there are weights; without them what the model marks means nothing."""
        return self.card["sha256"] is not None

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


def names() -> list[str]:
    """Names of the models that are there, the default first; their cards may be unreadable."""
    there = [path.parent.name for path in WEIGHTS.glob("*/card.json")]
    return sorted(there, key=lambda name: (name != DEFAULT, name))


def installed() -> list[Model]:
    """All models with a readable card, the default first."""
    found = []
    for name in names():
        with contextlib.suppress(InputError):
            found.append(find(name))
    return found


def find(name: str | None = None) -> Model:
    """A model by name; the default if None.

    Raises:
        InputError: There is none of that name, or its card cannot be used.
    """
    name = name or DEFAULT
    if name not in names():
        raise InputError(f"There is no model “{name}”; installed are: {', '.join(names()) or 'none'}.")
    return Model(WEIGHTS / name, _read_card(WEIGHTS / name / "card.json"))


def _read_card(path: Path) -> dict[str, Any]:
    """The card of a model, with all that is asked of it."""
    start = f"The card of the model “{path.parent.name}”"
    again = "please install CovidSeg again"
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{start} cannot be read; {again}.") from error
    if not isinstance(card, dict):
        raise InputError(f"{start} is not a JSON object; {again}.")
    if lacking := [key for key in TEXTS if not isinstance(card.get(key), str)]:
        raise InputError(f"{start} lacks {', '.join(f'“{key}”' for key in lacking)}; {again}.")
    threshold = card.get("threshold")
    if not isinstance(threshold, float) or not 0 < threshold < 1:
        raise InputError(f"{start} has no “threshold” between 0 and 1; {again}.")
    return card
