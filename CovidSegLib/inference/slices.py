"""Apply a two-dimensional network to axial slices."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from ..errors import GpuMemoryError
from ..preprocessing import grey_statistics, keep_near, neighbouring_slices, scale_window, standardise
from ..recipe import Stage
from ..volume import AxialScan
from .loaded_stage import LoadedStage
from .regions import slice_frame
from .structures import structure_arrays

#: Slices per batch. Larger batches are not faster on a CPU, and take more memory.
BATCH_SIZE = 8
#: The mean grey value of a scan is computed from every n-th slice.
SAMPLE_STEP = 4
#: A stage that predicts the lungs again inspects slices up to this distance above and below the known lungs.
LUNG_MARGIN_MM = 6.0


def predict_slices(
    loaded: LoadedStage,
    scan: AxialScan,
    lungs: np.ndarray | None,
    progress: Callable[[float], None],
    *,
    each_label: bool = False,
) -> dict[str, np.ndarray]:
    """Predict the structures of a stage that processes slices. See `inference.predict` for the arguments.

    If the lungs are known, slices without lungs are skipped. A stage that predicts the lungs again also inspects a few
    slices beyond apex and base.

    If the GPU has too little memory for a batch, smaller batches are tried. They do not change the result.

    Returns:
        Probability maps by structure or label, uint8 of the scan's shape, 0 to 255.
    """
    stage, network = loaded.stage, loaded.slice_network
    assert stage.slices is not None
    slices = stage.slices
    frame = slice_frame(stage, scan, lungs)
    selected = list(range(len(scan))) if lungs is None else _slices_with_lungs(lungs, stage, scan.spacing.slices)
    margin = None if stage.mask_margin_mm is None else round(stage.mask_margin_mm / frame.pixel_mm(scan.spacing.rows))

    def input_hu(slices: list[int]) -> np.ndarray:
        pixels = frame.extract(scan.hu[slices])
        if margin is not None and lungs is not None:
            pixels = keep_near(pixels, frame.extract(lungs[slices], fill=0, interpolation="nearest"), margin)
        return pixels

    sample = selected[::SAMPLE_STEP] if stage.intensity.zscore else []
    statistics = grey_statistics(input_hu(sample), stage.intensity) if sample else None
    names = stage.labels if each_label else stage.finds
    predictions = {name: np.zeros(scan.shape, dtype=np.uint8) for name in names}

    grey: dict[int, np.ndarray] = {}  # the input of recent slices: each is a neighbour of several others

    def predict_batch(batch: list[int]) -> np.ndarray:
        groups = [neighbouring_slices(z, len(scan), slices.count, scan.spacing.slices, slices.step_mm) for z in batch]
        needed = sorted({z for group in groups for z in group})
        for z in [known for known in grey if known < needed[0]]:
            del grey[z]
        if missing := [z for z in needed if z not in grey]:
            scaled = scale_window(input_hu(missing), stage.intensity.window_hu)
            grey.update(zip(missing, standardise(scaled, stage.intensity, statistics), strict=True))
        images = np.stack([np.stack([grey[z] for z in group]) for group in groups])
        return structure_arrays(network.run(images), stage, loaded.temperature, each_label=each_label)

    start, size = 0, BATCH_SIZE
    while start < len(selected):
        batch = selected[start : start + size]
        try:
            maps = predict_batch(batch)
        except GpuMemoryError:
            if size == 1:
                raise
            size //= 2
            continue
        for channel, output in enumerate(predictions.values()):
            frame.insert(maps[:, channel], [output[z] for z in batch])
        start += size
        progress(start / len(selected))
    return predictions


def _slices_with_lungs(lungs: np.ndarray, stage: Stage, slice_mm: float) -> list[int]:
    """Return the slices that a stage inspects if the lungs are known."""
    has_lung = lungs.any(axis=(1, 2))
    if "lungs" in stage.finds and has_lung.any():
        margin = max(1, round(LUNG_MARGIN_MM / slice_mm))
        has_lung = ndimage.binary_dilation(has_lung, iterations=margin)
    return [int(z) for z in np.flatnonzero(has_lung)]
