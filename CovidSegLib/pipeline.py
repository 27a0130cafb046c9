"""The one path from a CT to lungs and infection, for the panel, the command line and batches."""

from __future__ import annotations

import platform
import time
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from . import __version__, models
from .checks import check_lungs, check_volume
from .inference import choose_device, choose_precision, predict
from .models import Model
from .models.loading import load_stages, recipe_of
from .postprocessing import infection_in_lungs, lungs_from_probability
from .preprocessing import AxialView, beyond_image
from .progress import Progress, silent, subprogress
from .segmentation import Segmentation
from .volume import Volume

#: Smaller pieces are noise more often than infection, and are dropped: a ball of 4 mm. (`lesions` counts from 0.1 ml.)
SMALLEST_INFECTION_ML = 0.035
UNTRAINED = (
    "The networks of “{}” are untrained: what they mark means nothing; this shows only that they run, and how fast."
)


def segment(
    volume: Volume,
    model: Model,
    *,
    device: str = "auto",
    threshold: float | None = None,
    progress: Progress = silent,
) -> Segmentation:
    """Right lung, left lung and infection of a chest CT, on the CT's own grid.

    Args:
        volume: HU on any grid.
        model: Recipe, weights and card.
        device: "auto", "cpu" or "cuda".
        threshold: Probability from which a voxel is infection; the model's own if None.
        progress: Told the stage and the fraction done; raises Cancelled to stop.

    Raises:
        InputError: The volume is no chest CT that can be worked on, the weights are not to be trusted, or the device
            is not there.
        Cancelled: From `progress`.
    """
    clock = _Clock()
    progress("Checking the CT", 0.0)
    warnings = (*volume.warnings, *check_volume(volume))
    threshold = model.threshold if threshold is None else threshold
    progress("Loading the model", 0.02)
    where = choose_device(device)
    stages = load_stages(model, where)
    lung_model = _lung_model(model)
    clock.lap("load")

    view = AxialView.of(volume.grid)
    axial = np.ascontiguousarray(view.apply(volume.array))
    spacing = view.spacing(volume.grid)

    first, *others = stages.values()  # one network may find both
    name, end = ("Finding the lungs", 0.4) if others else ("Finding lungs and infection", 0.9)
    found = predict(first, axial, spacing, None, subprogress(progress, 0.05, end), name)
    clock.lap("predict lungs")
    lungs = _lungs(found, axial, spacing)
    if lung_model.trained and not lungs.any():
        check_lungs(lungs, volume)  # says that there are none
    clock.lap("lungs")

    for stage in others:
        found |= predict(stage, axial, spacing, lungs > 0, subprogress(progress, 0.45, 0.93), "Finding the infection")
    clock.lap("predict infection")
    if "lungs" in found:  # seen from nearby, by the network that finds the infection
        lungs = _lungs(found, axial, spacing)
        clock.lap("lungs from nearby")
    if not model.trained:
        warnings += (UNTRAINED.format(recipe_of(model).name),)
    if lung_model.trained:
        warnings += check_lungs(view.undo(lungs), volume)
    progress("Finishing the masks", 0.95)
    probability = found["infection"]
    infection, lungs = infection_in_lungs(probability, lungs, threshold, spacing, SMALLEST_INFECTION_ML)
    probability[lungs == 0] = 0
    clock.lap("infection")
    progress("Masks are ready", 1.0)
    return Segmentation(
        lungs=np.ascontiguousarray(view.undo(lungs)),
        infection=np.ascontiguousarray(view.undo(infection)),
        probability=np.ascontiguousarray(view.undo(probability)),
        grid=volume.grid,
        provenance=_provenance(model, lung_model, str(where), str(choose_precision(where)), threshold, clock),
        warnings=warnings,
    )


def _lungs(found: dict[str, np.ndarray], axial: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """Right and left lung from what a network found, whose probability of lungs is taken out."""
    probability = found.pop("lungs")
    probability[beyond_image(axial)] = 0
    return lungs_from_probability(probability, spacing, axial)


def _lung_model(model: Model) -> Model:
    """The model whose lungs are used: itself, or the one that its recipe names."""
    name = recipe_of(model).lungs_from
    return model if name is None else models.find(name)


class _Clock:
    """Seconds spent between laps."""

    def __init__(self) -> None:
        self.started = self._last = time.monotonic()
        self.seconds: dict[str, float] = {}

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.seconds[name] = round(now - self._last, 2)
        self._last = now


def _provenance(
    model: Model, lung_model: Model, device: str, precision: str, threshold: float, clock: _Clock
) -> dict[str, Any]:
    """What anyone needs to know to make, or to doubt, this result again."""
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": _facts(model),
        **({} if lung_model is model else {"lungs_model": _facts(lung_model)}),
        "settings": {
            "infection_threshold": threshold,
            "temperature": model.temperature,
            "smallest_infection_ml": SMALLEST_INFECTION_ML,
        },
        "device": device,
        "precision": precision.removeprefix("torch."),
        "versions": {
            "covidseg": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,  # with the build, which its metadata may not name
            **{package: version(package) for package in ("monai", "SimpleITK", "numpy")},
        },
        "seconds": {**clock.seconds, "total": round(time.monotonic() - clock.started, 2)},
    }


def _facts(model: Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "title": model.title,
        "recipe": recipe_of(model).name,
        "trained": model.trained,
        "sha256": model.card["sha256"],
        "licence": model.card.get("licence"),
    }
