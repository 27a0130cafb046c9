"""The one path from a CT to lungs and infection, used by the panel, the command line and evaluations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from . import models
from .checks import check_lungs, check_volume
from .inference import LoadedStage, Probabilities, choose_device, predict
from .models import Model
from .models.loading import load_stages, recipe_of
from .postprocessing import infection_in_lungs, lungs_from_probability
from .preprocessing import AxialView, outside_field_of_view
from .progress import Progress, silent, subprogress
from .provenance import Stopwatch, provenance_of
from .segmentation import Segmentation
from .volume import AxialScan, Volume

#: Smaller pieces of infection are noise more often than lesions, and are removed: a sphere of 4 mm. (Lesions are listed
#: from 0.1 ml.)
SMALLEST_INFECTION_ML = 0.035
UNTRAINED = (
    "The networks of “{}” are untrained: what they mark means nothing; this shows only that they run, and how fast."
)


def segment(
    volume: Volume,
    model: Model | None = None,
    *,
    device: str = "auto",
    threshold: float | None = None,
    progress: Progress = silent,
) -> Segmentation:
    """Segment right lung, left lung and infection in a chest CT.

    Args:
        volume: Hounsfield units on any grid.
        model: Recipe, weights and card; the default model if None.
        device: "auto", "cpu" or "cuda".
        threshold: Probability from which a voxel counts as infection; the model's own if None.
        progress: Receives the stage and the fraction done; raises Cancelled to stop.

    Returns:
        The masks on the grid of the CT, with the probabilities of infection, provenance and warnings.

    Raises:
        InputError: The volume is not a chest CT that can be segmented, the weights fail verification, or the device is
            not available.
        Cancelled: Raised by `progress`.

    Example:
        >>> from CovidSegLib.phantom import make_phantom
        >>> result = segment(make_phantom().volume)  # doctest: +SKIP
        >>> result.infection.sum() * result.grid.voxel_ml  # doctest: +SKIP
    """
    stopwatch = Stopwatch()
    progress("Checking the CT", 0.0)
    warnings = [*volume.warnings, *check_volume(volume)]
    progress("Loading the model", 0.02)
    system = _System.load(model or models.find_model(), device)
    stopwatch.lap("load")
    view = AxialView.of(volume.grid)
    scan = view.scan(volume).contiguous()

    if system.lungs is None:
        lungs, prediction = _find_both(system, scan, volume, progress, stopwatch)
    else:
        lungs = _find_lungs(system, system.lungs, scan, volume, progress, stopwatch)
        lungs, prediction = _find_infection(system, scan, lungs, progress, stopwatch)
    if not system.model.trained:
        warnings.append(UNTRAINED.format(recipe_of(system.model).name))
    if system.lung_model.trained:
        warnings += check_lungs(view.undo(lungs), volume)

    progress("Finishing the masks", 0.95)
    threshold = system.model.threshold if threshold is None else threshold
    probability = prediction.of("infection")
    infection, lungs = infection_in_lungs(probability, lungs, threshold, scan.spacing, SMALLEST_INFECTION_ML)
    probability[lungs == 0] = 0
    stopwatch.lap("infection")
    progress("Masks are ready", 1.0)
    settings = {
        "infection_threshold": threshold,
        "temperature": system.model.temperature,
        "smallest_infection_ml": SMALLEST_INFECTION_ML,
    }
    return Segmentation(
        lungs=np.ascontiguousarray(view.undo(lungs)),
        infection=np.ascontiguousarray(view.undo(infection)),
        probability=np.ascontiguousarray(view.undo(probability)),
        grid=volume.grid,
        provenance=provenance_of(system.model, system.lung_model, system.device, settings, stopwatch),
        warnings=tuple(warnings),
    )


@dataclass(frozen=True)
class _System:
    """A model ready to run.

    Attributes:
        model: Predicts the infection.
        lung_model: Predicts the lungs: the same model, or the one that its recipe names.
        device: Where the networks run.
        infection: The stage that predicts the infection, and perhaps the lungs too.
        lungs: The stage before it that predicts the lungs; None if one network predicts both.
    """

    model: Model
    lung_model: Model
    device: torch.device
    infection: LoadedStage
    lungs: LoadedStage | None

    @classmethod
    def load(cls, model: Model, device: str) -> _System:
        where = choose_device(device)
        stages = load_stages(model, where)
        name = recipe_of(model).lungs_from
        lung_model = model if name is None else models.find_model(name)
        return cls(model, lung_model, where, stages["infection"], stages.get("lungs"))


def _find_lungs(
    system: _System, stage: LoadedStage, scan: AxialScan, volume: Volume, progress: Progress, stopwatch: Stopwatch
) -> np.ndarray:
    """Right and left lung from a network that predicts nothing else."""
    prediction = predict(stage, scan, None, subprogress(progress, 0.05, 0.4), "Finding the lungs")
    stopwatch.lap("predict lungs")
    return _checked_lungs(system, prediction, scan, volume, stopwatch)


def _find_infection(
    system: _System, scan: AxialScan, lungs: np.ndarray, progress: Progress, stopwatch: Stopwatch
) -> tuple[np.ndarray, Probabilities]:
    """The infection within the lungs; the lungs anew if its network predicts them too, at a finer resolution."""
    here = subprogress(progress, 0.45, 0.93)
    prediction = predict(system.infection, scan, lungs > 0, here, "Finding the infection")
    stopwatch.lap("predict infection")
    if prediction.lungs is not None:
        lungs = _lung_masks(prediction.lungs, scan)
        stopwatch.lap("lungs from nearby")
    return lungs, prediction


def _find_both(
    system: _System, scan: AxialScan, volume: Volume, progress: Progress, stopwatch: Stopwatch
) -> tuple[np.ndarray, Probabilities]:
    """Lungs and infection from one network."""
    here = subprogress(progress, 0.05, 0.9)
    prediction = predict(system.infection, scan, None, here, "Finding lungs and infection")
    stopwatch.lap("predict lungs")
    lungs = _checked_lungs(system, prediction, scan, volume, stopwatch)
    stopwatch.lap("predict infection")
    return lungs, prediction


def _checked_lungs(
    system: _System, prediction: Probabilities, scan: AxialScan, volume: Volume, stopwatch: Stopwatch
) -> np.ndarray:
    """Right and left lung; an error if a trained model finds none."""
    lungs = _lung_masks(prediction.of("lungs"), scan)
    if system.lung_model.trained and not lungs.any():
        check_lungs(lungs, volume)
    stopwatch.lap("lungs")
    return lungs


def _lung_masks(probability: np.ndarray, scan: AxialScan) -> np.ndarray:
    """Right and left lung from their common probability map; nothing outside the field of view is lung."""
    probability[outside_field_of_view(scan.hu)] = 0
    return lungs_from_probability(probability, scan.spacing, scan.hu)
