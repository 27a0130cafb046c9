"""Segment lung tumours with models such as those of the recipe `qc-hc-unet-msd`, from which QC-HC U-Net starts."""

from __future__ import annotations

import numpy as np

from .checks import check_volume
from .inference import predict
from .models import Model
from .models.exported import outline_of
from .pipeline import UNTRAINED
from .postprocessing import lungs_from_probability
from .preprocessing import AxialView
from .progress import Progress, silent, subprogress
from .provenance import Stopwatch, provenance_of
from .recipe import TUMOUR_LABEL
from .segmentation import TumourSegmentation
from .system import load_system
from .thresholding import level_of
from .volume import Volume


def segment_tumours(
    volume: Volume,
    model: Model,
    *,
    device: str = "auto",
    engine: str = "auto",
    threshold: float | None = None,
    progress: Progress = silent,
) -> TumourSegmentation:
    """Segment lung tumours in a chest CT, without post-processing, as the paper does (Zhang et al. 2021, Table 3).

    Args:
        volume: The CT in Hounsfield units, on any grid.
        model: A model whose recipe finds tumours.
        device, engine, progress: As in `pipeline.segment`.
        threshold: Lowest probability of tumour, from 0 to 1, at which a voxel is tumour; that of the model if None.

    Returns:
        The mask and the probability of tumour on the grid of the CT, with provenance and warnings.

    Raises:
        InputError: The volume is not a chest CT that can be segmented, the model does not find tumours, its weights
            fail verification, or the device or the engine is not available.
        Cancelled: Raised by `progress`.
    """
    stopwatch = Stopwatch()
    progress("Checking the CT", 0.0)
    warnings = [*volume.warnings, *check_volume(volume)]
    progress("Loading the model", 0.02)
    system = load_system(model, device, engine, finding=TUMOUR_LABEL)
    stopwatch.lap("load")
    view = AxialView.of(volume.grid)
    scan = view.scan(volume).contiguous()
    lungs, part = None, subprogress(progress, 0.05, 0.95)
    if system.lungs is not None:
        lung_map = predict(system.lungs, scan, None, subprogress(progress, 0.05, 0.4), "Finding the lungs").of("lungs")
        lungs = lungs_from_probability(lung_map, scan.spacing, scan.hu) > 0
        part = subprogress(progress, 0.4, 0.95)
        stopwatch.lap("predict lungs")
    probability = view.undo(predict(system.infection, scan, lungs, part, "Finding tumours").of(TUMOUR_LABEL))
    stopwatch.lap("predict tumours")
    if not model.trained:
        warnings.append(UNTRAINED.format(outline_of(model).name))
    threshold = model.threshold if threshold is None else threshold
    settings = {"tumour_threshold": threshold, "temperature": model.temperature}
    network = system.infection.slice_network
    progress("Masks are ready", 1.0)
    return TumourSegmentation(
        tumour=np.ascontiguousarray(probability >= level_of(threshold)),
        probability=np.ascontiguousarray(probability),
        grid=volume.grid,
        provenance=provenance_of(model, system.lung_model, system.device, network, settings, stopwatch),
        warnings=tuple(warnings),
    )
