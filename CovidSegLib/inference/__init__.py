"""A stage's network on a scan: slices or patches, with progress; probabilities on the scan's own voxels."""

from __future__ import annotations

import numpy as np
import torch

from ..errors import InputError
from ..progress import Progress
from .devices import choose_device, choose_precision
from .loaded_stage import LoadedStage
from .patches import predict_patches
from .regions import slice_frame, volume_frame
from .slices import predict_slices

__all__ = [
    "LoadedStage",
    "choose_device",
    "choose_precision",
    "predict",
    "slice_frame",
    "volume_frame",
]


def predict(
    loaded: LoadedStage,
    axial: np.ndarray,
    spacing: tuple[float, float, float],
    lungs: np.ndarray | None,
    progress: Progress,
    name: str,
) -> dict[str, np.ndarray]:
    """Probabilities of the structures that a stage finds.

    Args:
        loaded: The stage and its network.
        axial: HU (slices, rows, columns).
        spacing: mm between slices, rows, columns.
        lungs: Boolean mask, where the lungs are known already; what holds none is not looked at.
        progress: Told the fraction done, under `name`.
        name: The stage in plain words.

    Returns:
        "lungs" and "infection", those that the stage finds: uint8, shaped as axial, 0 to 255 for 0 to 1.

    Raises:
        InputError: The device has too little memory.
    """
    progress(name, 0.0)
    run = predict_slices if loaded.stage.slices is not None else predict_patches
    try:
        return run(loaded, axial, spacing, lungs, lambda fraction: progress(name, min(1.0, fraction)))
    except torch.OutOfMemoryError as error:
        raise InputError(
            "The GPU has too little free memory; choose the device “cpu”, or close other programs."
        ) from error
