"""Models: a recipe with weights and a card. Found, verified by SHA-256 and listed without loading torch.

A model is a folder of `model.safetensors`, `card.json` and, where its recipe is none of the library's, `recipe.toml`.
It comes with the library, lies in the user's own folder, or is a finished run of a training, named by its path.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError

#: The models that come with the library.
WEIGHTS = Path(__file__).parents[1] / "weights"
DEFAULT = "qc-hc-cascade"
WEIGHTS_FILE, CARD_FILE, RECIPE_FILE = "model.safetensors", "card.json", "recipe.toml"
#: All that the folder of a model holds of it.
FILES = (WEIGHTS_FILE, CARD_FILE, RECIPE_FILE)
#: What a card must say in words.
TEXTS = ("title", "summary", "recipe", "sha256", "licence")
#: What it may say in lists of words.
LISTS = ("trained_on", "validation", "never_trained_on", "calibrated_on", "use", "not_for", "training", "limits")


@dataclass(frozen=True)
class Model:
    """A trained model on disk.

    Attributes:
        folder: Where it lies; its name is the model's.
        card: What is known of it: title, summary, recipe, sha256, threshold, temperature, data, licence, results,
            limits.
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
    def shipped(self) -> bool:
        """Whether it comes with the library."""
        return self.folder.parent == WEIGHTS

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
        """What `recipes.load` takes: the path of its own recipe.toml where there is one, else the library's name.

        `models.loading.recipe_of` loads it, with the row of an ablation that the card may name. To be shown is that
        recipe's name: where it lies on this computer is nobody's business.
        """
        own = self.folder / RECIPE_FILE
        return str(own) if self.trained and own.is_file() else str(self.card["recipe"])

    @property
    def seen(self) -> frozenset[str]:
        """Patients and scans that it was trained on, or chosen by: on those it is better than on others."""
        return frozenset((*self.card.get("trained_on", ()), *self.card.get("validation", ())))

    @property
    def threshold(self) -> float:
        """Probability from which a voxel counts as infection."""
        return float(self.card["threshold"])

    @property
    def temperature(self) -> float:
        """By which the logits of the infection are divided; 1 for a model that nobody has calibrated."""
        return float(self.card.get("temperature", 1.0))

    @property
    def weights(self) -> Path:
        """The safetensors file: tensors named STAGE.PARAMETER, in float16."""
        return self.folder / WEIGHTS_FILE

    @property
    def remedy(self) -> str:
        """What the user can do where it is damaged, in the words of a sentence's end."""
        return _remedy(self.folder)

    def verified_weights(self) -> bytes:
        """The weights file, read once and compared with the card's SHA-256.

        Raises:
            InputError: The file is missing or is not the one that the card describes.
        """
        try:
            data = self.weights.read_bytes()
        except OSError as error:
            raise InputError(
                f"The weights of the model “{self.name}” are missing or cannot be read; {self.remedy}."
            ) from error
        check_sha256(data, self.card, self.name, self.remedy)
        return data


def user_folder() -> Path:
    """Where the user's own models lie: the folder that COVIDSEG_MODELS names, else one where the system keeps data.

    Without platformdirs, since Slicer lists the models before any package is installed.
    """
    if own := os.environ.get("COVIDSEG_MODELS"):
        return Path(own)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "CovidSeg" / "models"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "CovidSeg" / "models"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "covidseg" / "models"


def names() -> list[str]:
    """Names of the models that are there, the default first; their cards may be unreadable."""
    there = {path.parent.name for place in (WEIGHTS, user_folder()) for path in place.glob(f"*/{CARD_FILE}")}
    return sorted(there, key=lambda name: (name != DEFAULT, name))


def installed() -> list[Model]:
    """All models with a readable card, the default first."""
    found = []
    for name in names():
        with contextlib.suppress(InputError):
            found.append(find(name))
    return found


def find(name: str | Path | None = None) -> Model:
    """A model by name, or a finished run by the path of its folder; the default model if None.

    Raises:
        InputError: There is none of that name, or its card cannot be used.
    """
    name = str(name or DEFAULT)
    if name in names():
        place = WEIGHTS if (WEIGHTS / name / CARD_FILE).is_file() else user_folder()
        return at(place / name)
    folder = Path(name)
    if folder.is_dir() and folder.resolve().name:
        if not (folder / CARD_FILE).is_file():
            raise InputError(
                f"The folder “{name}” holds no model ({CARD_FILE} is missing); give the folder of a training that has "
                f"ended, or one of the installed models: {', '.join(names()) or 'none'}."
            )
        return at(folder.resolve())
    raise InputError(f"There is no model “{name}”; installed are: {', '.join(names()) or 'none'}.")


def at(folder: Path) -> Model:
    """The model in a folder.

    Raises:
        InputError: Its card cannot be used.
    """
    return Model(folder, _read_card(folder / CARD_FILE))


def check_card(card: object, start: str, remedy: str) -> dict[str, Any]:
    """A card with all that is asked of it.

    Args:
        card: What was read from its file.
        start: What errors call it.
        remedy: What they say can be done.

    Raises:
        InputError: Something is missing or wrong.
    """
    if not isinstance(card, dict):
        raise InputError(f"{start} is not a JSON object; {remedy}.")
    if lacking := [key for key in TEXTS if not isinstance(card.get(key), str)]:
        raise InputError(f"{start} lacks {', '.join(f'“{key}”' for key in lacking)}; {remedy}.")
    threshold = card.get("threshold")
    if not isinstance(threshold, float) or not 0 < threshold < 1:
        raise InputError(f"{start} has no “threshold” between 0 and 1; {remedy}.")
    temperature = card.get("temperature", 1.0)
    if not isinstance(temperature, float) or not 0 < temperature < math.inf:
        raise InputError(f"{start} has a wrong value for “temperature”, which is no number above 0; {remedy}.")
    for key in LISTS:
        listed = card.get(key, [])
        if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
            raise InputError(f"{start} has a wrong value for “{key}”, which is no list of texts; {remedy}.")
    return card


def check_sha256(weights: bytes, card: dict[str, Any], name: str, remedy: str) -> None:
    """Compare weights with the card that comes with them.

    Args:
        weights: Content of the safetensors file.
        card: Of the model.
        name: What errors call the model.
        remedy: What they say can be done.

    Raises:
        InputError: They are others.
    """
    if hashlib.sha256(weights).hexdigest() != card["sha256"]:
        raise InputError(
            f"The weights of the model “{name}” are not those that its card describes (their SHA-256 differs); they "
            f"are not used: {remedy}."
        )


def _read_card(path: Path) -> dict[str, Any]:
    start, remedy = f"The card of the model “{path.parent.name}”", _remedy(path.parent)
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{start} cannot be read; {remedy}.") from error
    return check_card(card, start, remedy)


def _remedy(folder: Path) -> str:
    if folder.parent == WEIGHTS:
        return "please install CovidSeg again"
    return "please install or pack this model again, or train it again where it is a run"
