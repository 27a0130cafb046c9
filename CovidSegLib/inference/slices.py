"""Apply a two-dimensional network to axial slices."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy import ndimage

from ..preprocessing import grey_statistics, keep_near, neighbouring_slices, scale_window, standardise
from ..recipe import Stage
from ..volume import AxialScan
from .devices import choose_precision
from .loaded_stage import LoadedStage
from .regions import slice_frame
from .structures import structure_maps

#: Slices per batch. Larger batches are not faster on a CPU, and take more memory.
BATCH_SIZE = 8
#: The mean grey value of a scan is computed from every n-th slice.
SAMPLE_STEP = 4
#: A stage that predicts the lungs again inspects slices up to this distance above and below the known lungs.
LUNG_MARGIN_MM = 6.0


@torch.inference_mode()
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
    stage, network, temperature = loaded
    assert stage.slices is not None
    slices = stage.slices
    frame = slice_frame(stage, scan, lungs)
    selected = list(range(len(scan))) if lungs is None else _slices_with_lungs(lungs, stage, scan.spacing.slices)
    device = next(network.parameters()).device
    precision = choose_precision(device)
    margin = None if stage.mask_margin_mm is None else round(stage.mask_margin_mm / frame.pixel_mm(scan.spacing.rows))

    def input_hu(slices: list[int]) -> torch.Tensor:
        pixels = frame.extract(scan.hu[slices])
        if margin is not None and lungs is not None:
            pixels = keep_near(pixels, frame.extract(lungs[slices], fill=0, interpolation="nearest"), margin)
        return pixels

    sample = selected[::SAMPLE_STEP] if stage.intensity.zscore else []
    statistics = grey_statistics(input_hu(sample), stage.intensity) if sample else None
    names = stage.labels if each_label else stage.finds
    predictions = {name: np.zeros(scan.shape, dtype=np.uint8) for name in names}

    def predict_batch(batch: list[int]) -> torch.Tensor:
        groups = [neighbouring_slices(z, len(scan), slices.count, scan.spacing.slices, slices.step_mm) for z in batch]
        needed = sorted({z for group in groups for z in group})
        grey = standardise(scale_window(input_hu(needed), stage.intensity.window_hu), stage.intensity, statistics)
        image = torch.stack([grey[[needed.index(z) for z in group]] for group in groups])
        image = image.to(device, memory_format=torch.channels_last)
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            logits = network(image)
        return structure_maps(logits, stage, temperature, each_label=each_label).cpu()

    start, size = 0, BATCH_SIZE
    while start < len(selected):
        batch = selected[start : start + size]
        try:
            maps = predict_batch(batch)
        except torch.OutOfMemoryError:
            if size == 1:
                raise
            size //= 2
            torch.cuda.empty_cache()
            continue
        for channel, output in enumerate(predictions.values()):
            result = output[batch]
            frame.insert(maps[:, channel], result)
            output[batch] = result
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
