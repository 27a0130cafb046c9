"""Axial slices, some at a time, through a two-dimensional network."""

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

#: Slices that go through a network together: more do not make a CPU faster, and memory stays small.
BATCH = 8
#: Every so many slices are looked at for a scan's mean grey value.
SAMPLE = 4
#: How far above and below the lungs of an earlier stage a stage that finds the lungs itself looks for more of them.
BEYOND_MM = 6.0


@torch.inference_mode()
def predict_slices(
    loaded: LoadedStage,
    scan: AxialScan,
    lungs: np.ndarray | None,
    progress: Callable[[float], None],
) -> dict[str, np.ndarray]:
    """As `inference.predict`, for a stage that sees slices; those without lungs stay 0 where the lungs are known.

    A stage that finds the lungs itself looks a little beyond those that are known, at apex and base.
    """
    stage, network, temperature = loaded
    assert stage.slices is not None
    frame = slice_frame(stage, scan, lungs)
    wanted = list(range(len(scan))) if lungs is None else _with_lungs(lungs, stage, scan.spacing.slices)
    device = next(network.parameters()).device
    precision = choose_precision(device)
    margin = None if stage.mask_margin_mm is None else round(stage.mask_margin_mm / frame.pixel_mm(scan.spacing.rows))

    def seen(slices: list[int]) -> torch.Tensor:
        """Slices as the network sees them, in HU."""
        pixels = frame.extract(scan.hu[slices])
        if margin is not None and lungs is not None:
            pixels = keep_near(pixels, frame.extract(lungs[slices], fill=0, interpolation="nearest"), margin)
        return pixels

    sample = wanted[::SAMPLE] if stage.intensity.zscore else []
    statistics = grey_statistics(seen(sample), stage.intensity) if sample else None
    found = {name: np.zeros(scan.shape, dtype=np.uint8) for name in stage.finds}
    for start in range(0, len(wanted), BATCH):
        batch = wanted[start : start + BATCH]
        around = [
            neighbouring_slices(z, len(scan), stage.slices.count, scan.spacing.slices, stage.slices.step_mm)
            for z in batch
        ]
        needed = sorted({z for group in around for z in group})
        grey = standardise(scale_window(seen(needed), stage.intensity.window_hu), stage.intensity, statistics)
        image = torch.stack([grey[[needed.index(z) for z in group]] for group in around])
        image = image.to(device, memory_format=torch.channels_last)
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            logits = network(image)
        maps = structure_maps(logits, stage, temperature).cpu()
        for channel, target in enumerate(found.values()):
            result = target[batch]
            frame.insert(maps[:, channel], result)
            target[batch] = result
        progress((start + BATCH) / len(wanted))
    return found


def _with_lungs(lungs: np.ndarray, stage: Stage, between_mm: float) -> list[int]:
    """The slices that a stage looks at where the lungs are known."""
    some = lungs.any(axis=(1, 2))
    if "lungs" in stage.finds and some.any():
        beyond = max(1, round(BEYOND_MM / between_mm))
        some = ndimage.binary_dilation(some, iterations=beyond)
    return [int(z) for z in np.flatnonzero(some)]
