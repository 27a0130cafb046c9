"""MONAI's sliding window with our infection network: whole slices at full resolution, as most pipelines do it.

It is one network of ours without the lungs, reading and output. nnU-Net is not measured yet.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from CovidSegLib import models
from CovidSegLib.models.loading import load_stages
from CovidSegLib.preprocessing import AxialView, neighbouring_slices, scale_window
from CovidSegLib.reading import read_volume
from CovidSegLib.recipe import Stage
from CovidSegLib.volume import AxialScan

OVERLAP = 0.5
#: Slices that are measured; the time of all is in proportion.
SAMPLE = 8


def images_of(stage: Stage, axial: AxialScan) -> np.ndarray:
    """Return `SAMPLE` whole slices, each with its neighbours as channels: (slices, channels, rows, columns)."""
    assert stage.slices is not None
    stacks = [
        axial.hu[
            neighbouring_slices(int(z), len(axial), stage.slices.count, axial.spacing.slices, stage.slices.step_mm)
        ]
        for z in np.linspace(1, len(axial) - 2, SAMPLE)
    ]
    return scale_window(np.stack(stacks).astype(np.float32), stage.intensity.window_hu)


def sliding_window(scan: Path) -> dict[str, Any]:
    """Return the time that MONAI's sliding window takes for all slices, from that of some."""
    import torch
    from monai.inferers.utils import sliding_window_inference

    loaded = load_stages(models.find_model(), torch.device("cpu"), ["infection"])["infection"]
    assert loaded.stage.slices is not None
    volume = read_volume(scan)
    axial = AxialView.of(volume.grid).scan(volume).contiguous()
    images = torch.from_numpy(images_of(loaded.stage, axial))
    wall, cpu = time.perf_counter(), time.process_time()
    with torch.inference_mode():
        sliding_window_inference(images, loaded.stage.slices.size, 4, loaded.network, overlap=OVERLAP)
    factor = len(axial) / SAMPLE
    return {
        "what": "MONAI sliding_window_inference, float32, our infection network alone",
        "wall_s": round(factor * (time.perf_counter() - wall), 1),
        "cpu_s": round(factor * (time.process_time() - cpu), 1),
    }
