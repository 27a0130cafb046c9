"""Evaluation of a model on whole scans with slice-level labels: COVID-CT-MD."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from ..data.layouts.covid_ct_md import infected_slices
from ..metrics.overlap import ConfusionMatrix
from ..models import Model
from ..pipeline import segment
from ..preprocessing import AxialView
from ..progress import Progress, silent, subprogress
from ..reading import read_volume


def evaluate_whole_scans(
    folder: Path,
    model: Model,
    scans: Collection[str] | None = None,
    *,
    device: str = "auto",
    progress: Progress = silent,
) -> dict[str, Any]:
    """Measure slice-level sensitivity and specificity, and the involvement, of whole scans.

    Args:
        folder: COVID-CT-MD: one folder for each scan, and labels.json, in which radiologists list the infected slices,
            numbered from the head.
        model: Model to evaluate.
        scans: Names of the scans; None for all.
        device: Device for the networks; see `pipeline.segment`.
        progress: Receives the stage and the fraction of the scans done. May raise `Cancelled`.

    Returns:
        By scan: "diagnosis", "sensitivity", "specificity" (None if undefined), "involvement_percent" (None without
        lungs) and "lungs_ml", rounded.

    Raises:
        InputError: A scan cannot be read or segmented.
        Cancelled: Raised by `progress`.
    """
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))["cases"]
    names = [name for name in labels if scans is None or name in scans]
    results = {}
    for number, name in enumerate(names):
        scan_progress = subprogress(progress, number / len(names), (number + 1) / len(names))
        results[name] = _evaluate(folder / name, labels[name]["diagnosis"], model, device, scan_progress)
    return results


def _evaluate(scan: Path, diagnosis: str, model: Model, device: str, progress: Progress) -> dict[str, Any]:
    volume = read_volume(scan)

    def report(stage: str, fraction: float) -> None:
        progress(f"Segmenting {scan.name}", fraction)

    segmentation = segment(volume, model, device=device, progress=report)
    prediction = np.flip(AxialView.of(volume.grid).apply(segmentation.infection).any(axis=(1, 2)))
    target = np.zeros(len(prediction), dtype=bool)
    target[infected_slices(scan)] = True
    slices = ConfusionMatrix.of(prediction, target)
    lung_voxels = float((segmentation.lungs > 0).sum())
    infection_voxels = float(segmentation.infection.sum())
    return {
        "diagnosis": diagnosis,
        "sensitivity": None if np.isnan(slices.sensitivity) else round(slices.sensitivity, 3),
        "specificity": None if np.isnan(slices.specificity) else round(slices.specificity, 3),
        "involvement_percent": round(100 * infection_voxels / lung_voxels, 3) if lung_voxels else None,
        "lungs_ml": round(lung_voxels * volume.grid.voxel_ml),
    }
