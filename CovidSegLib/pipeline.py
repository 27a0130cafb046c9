"""Segment the lungs and the infection in a CT: the one path that the panel, the command line and evaluations share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import models
from .checks import check_lungs, check_volume
from .inference import predict
from .lung_limits import limit_to_body, limit_to_chest, limit_to_one_range
from .models import Model
from .models.exported import outline_of
from .postprocessing import infection_in_lungs, lung_region, lungs_from_probability
from .preprocessing import AxialView, outside_body
from .progress import Progress, silent, subprogress
from .provenance import Stopwatch, provenance_of
from .recipe import Stage
from .segmentation import Segmentation
from .system import load_system
from .thresholding import SMALLEST_INFECTION_ML
from .volume import AxialScan, AxialSpacing, Volume

UNTRAINED = (
    'The networks of "{}" are untrained. Their masks are meaningless: this run shows only that the networks work, and '
    "how fast."
)

#: More than is usually left out at the surface of the chest: under 1 ml in ten of eleven scans.
DISAGREEMENT_ML = 20.0
DISAGREEMENT = (
    "{:.0f} ml outside the chest looked like lung and were left out. Check that the lungs are complete, and that "
    "nothing else is marked as lung."
)


def segment(
    volume: Volume,
    model: Model | None = None,
    *,
    device: str = "auto",
    engine: str = "auto",
    threshold: float | None = None,
    progress: Progress = silent,
) -> Segmentation:
    """Segment right lung, left lung and infection in a chest CT.

    Args:
        volume: The CT in Hounsfield units, on any grid: oblique, flipped or anisotropic.
        model: Recipe, weights and card, from `models.find_model`; the default model if None.
        device: "auto" (a GPU if there is one), "cpu", "cuda" or "mps"; see `inference.choose_device`.
        engine: "auto" (OpenVINO on a CPU if the networks of the model are exported, PyTorch otherwise), "openvino" or
            "torch".
        threshold: Lowest probability of infection, from 0 to 1, at which a voxel counts as infected; that of the model
            if None.
        progress: Receives the name of the current step and the fraction done. It may raise `errors.Cancelled` to stop.

    Returns:
        The masks on the grid of the CT, with the probability of infection, provenance and warnings.

    Raises:
        InputError: The volume is not a chest CT that can be segmented, the weights fail verification, or the
            device or the engine is not available.
        Cancelled: Raised by `progress`.

    Example:
        >>> from CovidSegLib.phantom import make_phantom
        >>> volume = make_phantom().volume
        >>> result = segment(volume)  # doctest: +SKIP
        >>> result.lungs.shape == volume.array.shape  # doctest: +SKIP
        True
        >>> result.infection.sum() * result.grid.voxel_ml  # infection in ml  # doctest: +SKIP
    """
    stopwatch = Stopwatch()
    progress("Checking the CT", 0.0)
    warnings = [*volume.warnings, *check_volume(volume)]
    progress("Loading the model", 0.02)
    system = load_system(model or models.find_model(), device, engine)
    stopwatch.lap("load")
    view = AxialView.of(volume.grid)
    scan = view.scan(volume).contiguous()

    # Find the lungs, with a network of their own or together with the infection.
    if system.lungs is None:
        part = subprogress(progress, 0.05, 0.9)
        prediction = predict(system.infection, scan, None, part, "Finding lungs and infection")
    else:
        prediction = predict(system.lungs, scan, None, subprogress(progress, 0.05, 0.4), "Finding the lungs")
    stopwatch.lap("predict lungs")
    outside = outside_body(scan)
    if system.lungs is not None and _finds_lungs_again(system.infection.stage):
        lungs = _lungs_with(lung_region, prediction.of("lungs"), scan, outside)
    else:
        lungs = _lungs_with(lungs_from_probability, prediction.of("lungs"), scan, outside)
    far_ml = limit_to_one_range(lungs, scan.spacing)
    if system.lung_model.trained and not lungs.any():
        check_lungs(lungs, volume)
    stopwatch.lap("lungs")

    # Find the infection within them. Its network may predict the lungs once more, at a finer resolution.
    # What is no longer needed is released: each array of a long scan has some 80 MB.
    if system.lungs is not None:
        del prediction
        part = subprogress(progress, 0.45, 0.93)
        prediction = predict(system.infection, scan, lungs.astype(bool, copy=False), part, "Finding the infection")
    stopwatch.lap("predict infection")
    if system.lungs is not None and prediction.lungs is not None:
        # Both networks may see the same air, which counts once.
        far_ml = max(far_ml, limit_to_chest(prediction.lungs, lungs.astype(bool, copy=False), scan))
        del lungs
        lungs = _lungs_with(lungs_from_probability, prediction.lungs, scan, outside)
        stopwatch.lap("lungs from nearby")
    if far_ml > DISAGREEMENT_ML and system.model.trained:
        warnings.append(DISAGREEMENT.format(far_ml))
    if not system.model.trained:
        warnings.append(UNTRAINED.format(outline_of(system.model).name))
    if system.lung_model.trained:
        warnings += check_lungs(view.undo(lungs), volume)

    progress("Finishing the masks", 0.95)
    threshold = system.model.threshold if threshold is None else threshold
    probability = prediction.of("infection")
    del prediction, outside
    infection, lungs = infection_in_lungs(probability, lungs, threshold, scan.spacing, SMALLEST_INFECTION_ML)
    for section, lung in zip(probability, lungs, strict=True):
        np.copyto(section, 0, where=lung == 0)
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
        provenance=provenance_of(
            system.model, system.lung_model, system.device, system.infection.slice_network, settings, stopwatch
        ),
        warnings=tuple(warnings),
    )


def _finds_lungs_again(stage: Stage) -> bool:
    """Return whether a stage needs no more of the lungs than where they are, because it segments them itself."""
    return "lungs" in stage.finds and stage.mask_margin_mm is None


def _lungs_with(
    method: Callable[[np.ndarray, AxialSpacing, np.ndarray], np.ndarray],
    probability: np.ndarray,
    scan: AxialScan,
    outside: np.ndarray,
) -> np.ndarray:
    """Return the lungs from their probability map, which becomes zero outside the body."""
    limit_to_body(probability, scan, outside)
    return method(probability, scan.spacing, scan.hu)
