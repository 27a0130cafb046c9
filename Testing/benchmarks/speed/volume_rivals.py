"""nnU-Net's predictor and MONAI's sliding window with a three-dimensional network of ours: whole processes, and labels.

All read the same NIfTI file and write a mask. The rivals process the whole scan, as they do by default; CovidSeg finds
the lungs first, with a network of their own, and processes the box around them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import SimpleITK as sitk
import torch

from CovidSegLib import models
from CovidSegLib.inference.engines import torch_engine
from CovidSegLib.inference.loaded_stage import LoadedStage
from CovidSegLib.inference.patches import predict_patches
from CovidSegLib.models.loading import load_stages
from CovidSegLib.models.untrained import untrained_model
from CovidSegLib.preprocessing import AxialView
from CovidSegLib.processors import processors
from CovidSegLib.reading import read_volume
from CovidSegLib.recipe import Patches

from .machine import RSS_MB

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
REQUIREMENTS = HERE.parent / "rivals.txt"
RECIPE = "unet-3d-small"
#: nnU-Net's default. Recipes of ours use less.
OVERLAP = 0.5


def install(environment: Path) -> Path:
    """Return the Python of the rivals' environment, which is made if need be."""
    python = environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "-r", str(REQUIREMENTS)], check=True)
    return python


def compare(scan: Path, environment: Path, model: str | None = None) -> dict[str, Any]:
    """Measure the rivals and CovidSeg with the same network and weights.

    Args:
        scan: A CT.
        environment: Virtual environment of nnU-Net, made if it does not exist.
        model: Folder of a finished run of a recipe with patches, or None for untrained weights. The time is the same,
            but labels can be compared in earnest only with trained ones.

    Returns:
        `runs`: for each program `what`, `wall_s`, `cpu_s` and `peak_mb`. `equal_labels`: the share of voxels with the
        same label as nnU-Net's on the network's grid, without crop, mirroring and resampling and with the same patches,
        in percent; and `dice`.
    """
    nnunet = install(environment)
    chosen = models.find_model(model) if model else untrained_model(RECIPE)
    loaded = load_stages(chosen, torch.device("cpu"), ["infection"])["infection"]
    patches = loaded.stage.patches
    assert patches is not None and patches.spacing_mm is not None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        volume = read_volume(scan)
        image, coarse = folder / "ct_0000.nii.gz", folder / "coarse_0000.nii.gz"
        sitk.WriteImage(volume.grid.to_image(volume.array), str(image))
        sitk.WriteImage(_resampled(sitk.ReadImage(str(image)), patches), str(coarse))
        job = _job(folder, loaded, patches)
        weights = ["--model", model] if model else ["--recipe", RECIPE]
        ours = [sys.executable, "-P", "-m", "CovidSegLib", "segment", str(image), "-o", str(folder / "ours")]
        runs = [
            _run("CovidSeg, lungs and all outputs", [*ours, *weights, "--device", "cpu", "--progress", "none"]),
            _run_job("MONAI, transforms and sliding window", [sys.executable, "monai_child.py"], job, image),
            _run_job("nnU-Net, without mirroring", [str(nnunet), "nnunet_child.py"], job, image),
            _run_job("nnU-Net, as by default", [str(nnunet), "nnunet_child.py"], job | {"mirroring": True}, image),
        ]
        _run_job("labels", [str(nnunet), "nnunet_child.py"], job, coarse)
        theirs = sitk.GetArrayFromImage(sitk.ReadImage(job["output"])) > 0
        own = _without_crop(loaded, patches, coarse)
    equal = 100 * float(np.mean(own == theirs))
    dice = 2 * np.count_nonzero(own & theirs) / max(1, np.count_nonzero(own) + np.count_nonzero(theirs))
    return {"runs": runs, "equal_labels": round(equal, 3), "dice": round(float(dice), 5)}


def _job(folder: Path, loaded: LoadedStage, patches: Patches) -> dict[str, Any]:
    """Write the network, and return what the children need."""
    network = loaded.network
    assert isinstance(network, torch.nn.Module)
    with torch.no_grad():
        traced = torch.jit.trace(network.float(), torch.zeros(1, 1, *patches.size))
    traced.save(str(folder / "network.pt"))
    return {
        "network": str(folder / "network.pt"),
        "output": str(folder / "mask.nii.gz"),
        "patch_size": patches.size,
        "spacing": patches.spacing_mm,
        "window_hu": loaded.stage.intensity.window_hu,
        "threads": len(processors()),
        "mirroring": False,
    }


def _run_job(what: str, command: list[str], job: dict[str, Any], image: Path) -> dict[str, Any]:
    file = image.parent / "job.json"
    file.write_text(json.dumps(job | {"image": str(image)}), encoding="utf-8")
    return _run(what, [command[0], str(HERE / command[1]), str(file)])


def _run(what: str, command: list[str]) -> dict[str, Any]:
    """Measure a process with its children."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    started = time.perf_counter()
    child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{what}: failed with {child.returncode}")
    return {
        "what": what,
        "wall_s": round(time.perf_counter() - started, 1),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_mb": round(usage.ru_maxrss * RSS_MB),
    }


def _resampled(image: sitk.Image, patches: Patches) -> sitk.Image:
    """Return a CT on the network's grid, so that neither program resamples it.

    It is cropped to a size for which both programs place patches alike: they place the last ones in their own ways, and
    the prediction for a voxel depends on the patch around it.
    """
    assert patches.spacing_mm is not None
    spacing = patches.spacing_mm[::-1]
    size = [round(n * old / new) for n, old, new in zip(image.GetSize(), image.GetSpacing(), spacing, strict=True)]
    identity, linear = sitk.Transform(), sitk.sitkLinear
    coarse = sitk.Resample(image, size, identity, linear, image.GetOrigin(), spacing, image.GetDirection(), -1000)
    steps = [int(side * (1 - OVERLAP)) for side in patches.size[::-1]]
    surplus = [(n - side) % step for n, side, step in zip(size, patches.size[::-1], steps, strict=True)]
    return sitk.Crop(coarse, [extra // 2 for extra in surplus], [extra - extra // 2 for extra in surplus])


def _without_crop(loaded: LoadedStage, patches: Patches, image: Path) -> np.ndarray:
    """Return the mask (z, y, x) of our prediction on the whole scan with nnU-Net's overlap and precision."""
    whole = replace(patches, spacing_mm=None, overlap=OVERLAP, blend="gaussian")
    stage = replace(loaded.stage, region="whole", mask_margin_mm=None, patches=whole)
    volume = read_volume(image)
    view = AxialView.of(volume.grid)
    scan = view.scan(volume).contiguous()
    with mock.patch.object(torch_engine, "choose_precision", lambda device: torch.float32):
        maps = predict_patches(loaded._replace(stage=stage), scan, None, lambda fraction: None)
    return view.undo(maps["infection"] >= 128)
