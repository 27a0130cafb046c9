"""Apply a three-dimensional network to overlapping patches of a scan."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from monai.inferers.utils import sliding_window_inference
from scipy import ndimage
from torch import nn

from ..preprocessing import VolumeFrame, grey_statistics, scale_window, standardise
from ..recipe import Patches, Stage
from ..volume import AIR_HU, AxialScan
from .engines.torch_engine import autocast, gpu_memory_errors
from .loaded_stage import LoadedStage
from .regions import volume_frame
from .structures import structure_maps

#: Standard deviation of the Gaussian weights of a patch, as a share of its side.
GAUSSIAN_SIGMA = 0.125


@torch.inference_mode()
def predict_patches(
    loaded: LoadedStage,
    scan: AxialScan,
    lungs: np.ndarray | None,
    progress: Callable[[float], None],
    *,
    each_label: bool = False,
) -> dict[str, np.ndarray]:
    """Predict the structures of a stage that processes patches. See `inference.predict` for the arguments.

    Probabilities, not logits, are averaged where patches overlap.

    Returns:
        Probability maps by structure or label, uint8 of the scan's shape, 0 to 255.
    """
    stage, network, temperature = loaded
    assert stage.patches is not None and isinstance(network, nn.Module)
    names = stage.labels if each_label else stage.finds
    predictions = {name: np.zeros(scan.shape, dtype=np.uint8) for name in names}
    if lungs is not None and not lungs.any():
        return predictions
    frame = volume_frame(stage, scan, lungs)
    pixels = input_hu(stage, frame, scan, lungs)
    statistics = grey_statistics(pixels, stage.intensity)

    def grey(hu: torch.Tensor) -> torch.Tensor:
        return standardise(scale_window(hu, stage.intensity.window_hu), stage.intensity, statistics)

    device = next(network.parameters()).device
    windows = count_windows(frame.size, stage.patches.size, stage.patches.overlap)
    done = 0

    def predict_window(window: torch.Tensor) -> torch.Tensor:
        nonlocal done
        with gpu_memory_errors(), autocast(device):
            logits = network(window.to(memory_format=torch.channels_last_3d))
        done += 1
        progress(done / windows)
        return structure_maps(logits, stage, temperature, each_label=each_label)

    maps = sliding_window_inference(
        grey(pixels)[None, None],
        roi_size=stage.patches.size,
        sw_batch_size=1,
        predictor=predict_window,
        overlap=stage.patches.overlap,
        roi_weight_map=patch_weights(stage.patches),
        cval=float(grey(torch.tensor(float(AIR_HU)))),
        sw_device=device,
        device="cpu",
    )
    assert isinstance(maps, torch.Tensor)
    for channel, output in enumerate(predictions.values()):
        frame.insert(maps[0, channel], output)
    return predictions


def patch_weights(patches: Patches) -> torch.Tensor:
    """Return the weights with which patches are averaged where they overlap.

    Gaussian weights are those of nnU-Net 2, so that labels agree with those of its predictor. MONAI's own weights are
    not used: they are at least 0.001, which gives all patches the same weight at the borders of a scan.

    Returns:
        float32 of the size of a patch.
    """
    weights = torch.ones(patches.size)
    if patches.blend == "gaussian":
        for axis, length in enumerate(patches.size):
            distance = (torch.arange(length) - length // 2) / (length * GAUSSIAN_SIGMA)
            shape = [length if other == axis else 1 for other in range(len(patches.size))]
            weights = weights * torch.exp(-0.5 * distance**2).reshape(shape)
    return weights


def input_hu(
    stage: Stage,
    frame: VolumeFrame,
    scan: AxialScan,
    lungs: np.ndarray | None,
) -> torch.Tensor:
    """Return the HU of a scan on the network's grid, float32 of `frame.size`.

    If the stage masks its input, voxels far from the lungs are set to air.
    """
    pixels = frame.extract(scan.hu)
    if stage.mask_margin_mm is not None and lungs is not None:
        outside = (frame.extract_labels(lungs) == 0).numpy()
        distance = ndimage.distance_transform_edt(outside, sampling=frame.spacing(scan.spacing))
        pixels[torch.from_numpy(distance > stage.mask_margin_mm)] = AIR_HU
    return pixels


def count_windows(size: Sequence[int], window: Sequence[int], overlap: float) -> int:
    """Return the number of windows with which MONAI's `sliding_window_inference` covers a grid.

    >>> count_windows((64, 64, 64), (32, 32, 32), overlap=0.5)
    27
    """
    counts = []
    for length, side in zip(size, window, strict=True):
        step = side if length <= side else max(1, int(side * (1 - overlap)))
        counts.append(max(1, math.ceil((length - side) / step) + 1))
    return math.prod(counts)
