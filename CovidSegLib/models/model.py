"""A trained model on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..recipe import INFECTION_LABEL
from ..storage.limited import read_limited
from . import folders
from .card import check_graph_sha256, check_sha256, read_card, remedy_for


@dataclass(frozen=True)
class Model:
    """A trained model on disk: a folder of weights, card and, unless the library has its recipe, recipe.toml.

    Attributes:
        folder: The folder; its name is the model's.
        card: Content of card.json: title, summary, recipe, finding, sha256, threshold, temperature, data, licence,
            results, limits.
    """

    folder: Path
    card: dict[str, Any]

    @property
    def name(self) -> str:
        """Short name, for commands."""
        return self.folder.name

    @property
    def trained(self) -> bool:
        """Whether there are weights. Masks from an untrained model are meaningless."""
        return self.card["sha256"] is not None

    @property
    def shipped(self) -> bool:
        """Whether the model comes with CovidSeg."""
        return self.folder.parent == folders.WEIGHTS

    @property
    def title(self) -> str:
        """Name for display."""
        return str(self.card["title"])

    @property
    def summary(self) -> str:
        """One sentence that describes the model."""
        return str(self.card["summary"])

    @property
    def recipe(self) -> str:
        """What `recipes.load` accepts: the path of the model's own recipe.toml, or the name of a recipe of the library.

        `models.loading.recipe_of` loads it, with the ablation that the card may name. To users, show the name of that
        recipe and not this path, which may contain private names of folders.
        """
        own_recipe = self.folder / folders.RECIPE_FILE
        return str(own_recipe) if self.trained and own_recipe.is_file() else str(self.card["recipe"])

    @property
    def finding(self) -> str:
        """What the model looks for, "infection" or "tumour", without reading its recipe."""
        return str(self.card.get("finding", INFECTION_LABEL))

    @property
    def seen(self) -> frozenset[str]:
        """Patients and scans used for training or validation; results on them are better than on others."""
        return frozenset((*self.card.get("trained_on", ()), *self.card.get("validation", ())))

    @property
    def threshold(self) -> float:
        """Smallest probability at which a voxel is infection."""
        return float(self.card["threshold"])

    @property
    def temperature(self) -> float:
        """Divisor of the logits of the infection; 1 for a model that is not calibrated."""
        return float(self.card.get("temperature", 1.0))

    @property
    def weights(self) -> Path:
        """The safetensors file: float16 tensors named STAGE.PARAMETER."""
        return self.folder / folders.WEIGHTS_FILE

    @property
    def remedy(self) -> str:
        """A sentence on what the user can do if the model is damaged."""
        return remedy_for(self.folder)

    @property
    def graphs(self) -> tuple[str, ...]:
        """Names of the stages whose networks are exported, so that they run without PyTorch."""
        return tuple(self.card.get("graphs", ()))

    @property
    def needs_torch(self) -> bool:
        """Whether its networks run in PyTorch only."""
        return not self.graphs

    def verified_graph(self, stage: str) -> bytes:
        """Read the exported network of a stage and compare it with the card's SHA-256.

        Args:
            stage: One of `graphs`.

        Returns:
            The content of the ONNX file.

        Raises:
            InputError: The file is missing, or is not the one that the card describes.
        """
        file = folders.GRAPH_FILES.get(stage, "")
        try:
            data = read_limited(self.folder / file, folders.SIZE_LIMITS.get(file, 0))
        except OSError as error:
            raise InputError(
                f'The exported networks of the model "{self.name}" are missing or cannot be read. {self.remedy}'
            ) from error
        check_graph_sha256(data, self.card, stage, self.name, self.remedy)
        return data

    def verified_weights(self) -> bytes:
        """Read the weights file once and compare it with the card's SHA-256.

        Returns:
            The content of the file.

        Raises:
            InputError: The file is missing, or is not the one that the card describes.
        """
        try:
            data = read_limited(self.weights, folders.SIZE_LIMITS[folders.WEIGHTS_FILE])
        except OSError as error:
            raise InputError(
                f'The weights of the model "{self.name}" are missing or cannot be read. {self.remedy}'
            ) from error
        check_sha256(data, self.card, self.name, self.remedy)
        return data


def open_model(folder: Path) -> Model:
    """Return the model in a folder.

    Raises:
        InputError: Its card cannot be read, or something in it is missing or wrong.
    """
    return Model(folder, read_card(folder))
