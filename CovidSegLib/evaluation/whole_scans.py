"""Models measured on whole scans of which radiologists listed the infected slices: COVID-CT-MD."""

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
    """Slice-level sensitivity and specificity, and involvement, by scan; slices are counted as labels.json does.

    Args:
        folder: COVID-CT-MD: a folder a scan, and labels.json, which counts slices from the head.
        model: What is measured.
        scans: Only these; all of them if None.
        device: As of `pipeline.segment`.
        progress: Told the stage and the fraction of the scans that is done.

    Raises:
        InputError: A scan cannot be read or segmented.
        Cancelled: From `progress`.
    """
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))["cases"]
    wanted = [name for name in labels if scans is None or name in scans]
    results = {}
    for number, name in enumerate(wanted):
        here = subprogress(progress, number / len(wanted), (number + 1) / len(wanted))
        results[name] = _evaluate(folder / name, labels[name], model, device, here)
    return results


def _evaluate(scan: Path, facts: dict[str, Any], model: Model, device: str, progress: Progress) -> dict[str, Any]:
    volume = read_volume(scan)
    found = segment(
        volume, model, device=device, progress=lambda _, fraction: progress(f"Segmenting {scan.name}", fraction)
    )
    from_head = np.flip(AxialView.of(volume.grid).apply(found.infection).any(axis=(1, 2)))
    true = np.zeros(len(from_head), dtype=bool)
    true[infected_slices(scan)] = True
    slices = ConfusionMatrix.of(from_head, true)
    lungs = float((found.lungs > 0).sum())
    return {
        "diagnosis": facts["diagnosis"],
        "sensitivity": None if np.isnan(slices.sensitivity) else round(slices.sensitivity, 3),
        "specificity": None if np.isnan(slices.specificity) else round(slices.specificity, 3),
        "involvement_percent": round(100 * float(found.infection.sum()) / lungs, 3) if lungs else None,
        "lungs_ml": round(lungs * volume.grid.voxel_ml),
    }
