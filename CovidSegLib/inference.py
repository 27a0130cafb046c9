"""Axial slices through one network of a recipe: device, precision, batches, memory, progress."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import nn

from . import networks
from .errors import InputError
from .networks.weights import load_unique_state
from .preprocessing import SliceFrame, body_mask, keep_near, neighbours, scale_window
from .progress import Progress
from .recipe import Recipe, Stage

#: Slices that go through a network together: more do not make a CPU faster, and memory stays small.
BATCH = 8


def choose_device(name: str) -> torch.device:
    """The device for "auto", "cpu" or "cuda" (also "cuda:1").

    Raises:
        InputError: There is no such device, or no GPU that torch can use.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not re.fullmatch(r"cpu|cuda(:\d{1,2})?", name):
        raise InputError(f"There is no device “{name}”; choose “auto”, “cpu” or “cuda”.")
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError("No GPU that PyTorch can use was found; choose the device “auto” or “cpu”.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"There is no GPU “{name}”, there are {torch.cuda.device_count()}; choose “cuda”.")
    return device


def choose_precision(device: torch.device) -> torch.dtype:
    """float16 on a GPU, bfloat16 on a CPU that multiplies it in hardware, float32 otherwise."""
    if device.type == "cuda":
        return torch.float16
    if device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return torch.bfloat16
    return torch.float32


def load_networks(recipe: Recipe, weights: bytes, device: torch.device) -> dict[str, nn.Module]:
    """The recipe's networks by stage, with weights from the bytes of a safetensors file, ready for inference.

    Raises:
        InputError: The weights are those of other networks.
    """
    try:
        return _load_networks(recipe, load(weights), device)
    except (SafetensorError, ValueError) as error:
        raise InputError(
            f"The weights of the model do not fit its recipe “{recipe.name}”; please install CovidSeg again."
        ) from error


def _load_networks(recipe: Recipe, tensors: dict[str, torch.Tensor], device: torch.device) -> dict[str, nn.Module]:
    loaded = {}
    for name, stage in (("lungs", recipe.lungs), ("infection", recipe.infection)):
        network = networks.build(stage.network, stage.arguments)
        prefix = f"{name}."
        own = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        load_unique_state(network, own)
        loaded[name] = network.float().eval().to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return loaded


def stage_frame(
    stage: Stage, axial: np.ndarray, spacing: tuple[float, float, float], lungs: np.ndarray | None = None
) -> SliceFrame:
    """The rectangle of the slices of a scan that a stage's network sees, in training and inference alike.

    Args:
        stage: Names the region.
        axial: HU (slices, rows, columns).
        spacing: mm between slices, rows, columns.
        lungs: Boolean mask, as far as the lungs are known; needed for the region "lungs".
    """
    region = np.ones(axial.shape[1:], dtype=bool)
    if stage.region == "lungs" and lungs is not None:
        region = np.asarray(lungs.any(axis=0))
    elif stage.region == "body":
        region = body_mask(axial, spacing[1:])
    return SliceFrame.around(region, spacing[1:], stage.size, stage.margin_mm)


@torch.inference_mode()
def predict(
    network: nn.Module,
    stage: Stage,
    axial: np.ndarray,
    spacing: tuple[float, float, float],
    frame: SliceFrame,
    wanted: Sequence[int],
    lungs: np.ndarray | None,
    progress: Progress,
    name: str,
) -> np.ndarray:
    """Probabilities of a stage's structure on the slices' own pixels.

    Args:
        network: One logit map a slice.
        stage: What the network sees.
        axial: int16 HU (slices, rows, columns).
        spacing: mm between slices, rows, columns.
        frame: The rectangle that the network sees.
        wanted: Indices of the slices to predict; the others stay 0.
        lungs: Boolean mask, needed where the stage masks its input.
        progress: Told the fraction of slices done, under `name`.
        name: The stage in plain words.

    Returns:
        uint8, shaped as axial: 0 to 255 for 0 to 1.

    Raises:
        InputError: The device has too little memory.
    """
    device = next(network.parameters()).device
    precision = choose_precision(device)
    margin = None if stage.mask_margin_mm is None else round(stage.mask_margin_mm / frame.pixel_mm(spacing[1]))
    found = np.zeros(axial.shape, dtype=np.uint8)
    progress(name, 0.0)
    try:
        for start in range(0, len(wanted), BATCH):
            batch = list(wanted[start : start + BATCH])
            around = [neighbours(z, len(axial), stage.slices, spacing[0], stage.slice_step_mm) for z in batch]
            needed = sorted({z for group in around for z in group})
            pixels = frame.take(axial[needed])
            if margin is not None and lungs is not None:
                near = frame.take(lungs[needed], fill=0, interpolation="nearest")
                pixels = keep_near(pixels, near, margin)
            pixels = scale_window(pixels, stage.window_hu)
            image = torch.stack([pixels[[needed.index(z) for z in group]] for group in around])
            image = image.to(device, memory_format=torch.channels_last)
            with torch.autocast(device.type, precision, enabled=precision != torch.float32):
                logits = network(image)
            maps = torch.sigmoid(logits.float()).cpu()[:, 0]
            result = found[batch]
            frame.put_back(maps, result)
            found[batch] = result
            progress(name, min(1.0, (start + BATCH) / len(wanted)))
    except torch.OutOfMemoryError as error:
        raise InputError(
            "The GPU has too little free memory; choose the device “cpu”, or close other programs."
        ) from error
    return found
