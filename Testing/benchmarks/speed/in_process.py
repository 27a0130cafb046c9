"""Work in this process: the networks alone, parity of the engines, and growth with the number of slices."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from CovidSegLib import models
from CovidSegLib.inference.engines import SliceNetwork
from CovidSegLib.models.exported import load_exported
from CovidSegLib.pipeline import segment
from CovidSegLib.reading import read_volume
from CovidSegLib.segmentation import Segmentation
from CovidSegLib.volume import Volume

from .machine import RSS_MB, best_cpu_seconds

BATCH = 8


def networks() -> dict[str, dict[str, float]]:
    """Return milliseconds of CPU time for a slice, by stage of the default model and engine."""
    import torch

    from CovidSegLib.models.loading import load_stages

    model = models.find_model()
    exported, in_torch = load_exported(model), load_stages(model, torch.device("cpu"))
    result: dict[str, dict[str, float]] = {}
    for name, loaded in exported.items():
        images = np.random.default_rng(0).random((BATCH, *loaded.stage.input_shape), dtype=np.float32)
        engines: dict[str, SliceNetwork] = {
            "openvino": loaded.slice_network,
            "torch": in_torch[name].slice_network,
        }
        result[name] = {
            f"{engine}, {network.precision}": round(
                1000 * best_cpu_seconds(lambda network=network, images=images: network.run(images), 5) / BATCH, 1
            )
            for engine, network in engines.items()
        }
    return result


def parity(scans: list[Path]) -> dict[str, dict[str, float]]:
    """Return the Dice of OpenVINO's masks with those of PyTorch in float32."""
    import torch

    from CovidSegLib.inference.engines import torch_engine

    result = {}
    for scan in scans:
        volume = read_volume(scan)
        with mock.patch.object(torch_engine, "choose_precision", lambda device: torch.float32):
            expected = segment(volume, device="cpu", engine="torch")
        result[scan.name] = dice(segment(volume, device="cpu", engine="openvino"), expected)
    return result


def dice(one: Segmentation, other: Segmentation) -> dict[str, float]:
    """Return the Dice of lungs and infection of two results."""
    pairs = {"lungs": (one.lungs > 0, other.lungs > 0), "infection": (one.infection, other.infection)}
    return {
        name: float(2 * np.count_nonzero(a & b) / max(1, np.count_nonzero(a) + np.count_nonzero(b)))
        for name, (a, b) in pairs.items()
    }


def growth(scan: Path, slices: int) -> dict[str, float]:
    """Segment a scan that is resampled to a number of slices. Run this in a process of its own, for its peak memory."""
    volume = with_slices(read_volume(scan), slices)
    started, cpu = time.perf_counter(), time.process_time()
    segment(volume, device="cpu")
    return {
        "slices": slices,
        "wall_s": round(time.perf_counter() - started, 2),
        "cpu_s": round(time.process_time() - cpu, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_MB),
    }


def with_slices(volume: Volume, slices: int) -> Volume:
    """Repeat or leave out slices of an axial volume, which keeps its height in mm."""
    old = len(volume.array)
    nearest = np.minimum(((np.arange(slices) + 0.5) * old / slices).astype(int), old - 1)
    grid = volume.grid
    spacing = (*grid.spacing[:2], grid.spacing[2] * old / slices)
    return Volume(volume.array[nearest], replace(grid, shape=(slices, *grid.shape[1:]), spacing=spacing))


def profile(work: Callable[[], Any]) -> str:
    """Return where the CPU time of a piece of work goes."""
    import cProfile
    import io
    import pstats

    profiler = cProfile.Profile(time.process_time)
    profiler.runcall(work)
    text = io.StringIO()
    pstats.Stats(profiler, stream=text).sort_stats("tottime").print_stats(30)
    return text.getvalue()
