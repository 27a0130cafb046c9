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
from CovidSegLib.preprocessing import AxialView, scale_window
from CovidSegLib.reading import read_volume

OVERLAP = 0.5
#: Slices that are measured; the time of all is in proportion.
SAMPLE = 8


def sliding_window(scan: Path) -> dict[str, Any]:
    """Return the time that MONAI's sliding window takes for all slices, from that of some."""
    import torch
    from monai.inferers.utils import sliding_window_inference

    loaded = load_stages(models.find_model(), torch.device("cpu"), ["infection"])["infection"]
    assert loaded.stage.slices is not None
    volume = read_volume(scan)
    axial = AxialView.of(volume.grid).scan(volume).contiguous()
    chosen = np.linspace(1, len(axial) - 2, SAMPLE).astype(int)
    stacks = np.stack([axial.hu[z - 1 : z + 2] for z in chosen]).astype(np.float32)
    images = torch.from_numpy(scale_window(stacks, loaded.stage.intensity.window_hu))
    wall, cpu = time.perf_counter(), time.process_time()
    with torch.inference_mode():
        sliding_window_inference(images, loaded.stage.slices.size, 4, loaded.network, overlap=OVERLAP)
    factor = len(axial) / SAMPLE
    return {
        "what": "MONAI sliding_window_inference, float32, our infection network alone",
        "wall_s": round(factor * (time.perf_counter() - wall), 1),
        "cpu_s": round(factor * (time.process_time() - cpu), 1),
    }
