"""Predict the structures of a stage in a whole scan."""

from __future__ import annotations

import numpy as np

from ..progress import Progress
from ..volume import AxialScan
from .loaded_stage import LoadedStage
from .probabilities import Probabilities
from .slices import predict_slices


def predict(
    loaded: LoadedStage, scan: AxialScan, lungs: np.ndarray | None, progress: Progress, name: str
) -> Probabilities:
    """Predict the structures of a stage on the voxels of the scan.

    Args:
        loaded: The stage and its network.
        scan: The CT as axial slices.
        lungs: Boolean mask of the scan's shape if the lungs are already known. Parts of the scan without lungs are then
            skipped.
        progress: Receives `name` and the fraction done.
        name: Description of the stage for the user, such as "Finding the lungs".

    Returns:
        The probability maps, on the voxels of the scan.

    Raises:
        GpuMemoryError: The GPU has too little free memory, even for small batches.
    """
    return Probabilities(**_predict(loaded, scan, lungs, progress, name))


def predict_labels(
    loaded: LoadedStage, scan: AxialScan, lungs: np.ndarray | None, progress: Progress, name: str
) -> dict[str, np.ndarray]:
    """Predict each label of a stage, to choose the most probable one. See `predict` for arguments and errors.

    Returns:
        uint8 probability maps of the scan's shape, 0 to 255, by label of `Stage.labels`. If slices were skipped, all
        labels are 0 there.
    """
    return _predict(loaded, scan, lungs, progress, name, each_label=True)


def _predict(
    loaded: LoadedStage,
    scan: AxialScan,
    lungs: np.ndarray | None,
    progress: Progress,
    name: str,
    *,
    each_label: bool = False,
) -> dict[str, np.ndarray]:
    progress(name, 0.0)

    def report(fraction: float) -> None:
        progress(name, min(1.0, fraction))

    if loaded.stage.slices is not None:
        return predict_slices(loaded, scan, lungs, report, each_label=each_label)
    from .patches import predict_patches  # imports torch and MONAI, which take seconds

    return predict_patches(loaded, scan, lungs, report, each_label=each_label)
