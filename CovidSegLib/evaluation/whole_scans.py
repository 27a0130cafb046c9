"""Evaluation of a model on whole scans of which only slices are labelled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..data.entry import Entry
from ..data.entry_reader import read_entry
from ..errors import NoLungsError
from ..metrics.overlap import ConfusionMatrix
from ..models import Model
from ..pipeline import segment
from ..preprocessing import AxialView
from ..progress import Progress, silent, subprogress
from ..reading import read_volume


def evaluate_whole_scans(
    scans: Sequence[Entry],
    model: Model,
    *,
    device: str = "auto",
    progress: Progress = silent,
) -> dict[str, Any]:
    """Measure slice-level sensitivity and specificity, and the involvement, of whole scans.

    Args:
        scans: Entries with `slice_labels`. Where no lungs are found, the masks are empty.
        model: Model to evaluate.
        device: Device for the networks; see `pipeline.segment`.
        progress: Receives the stage and the fraction of the scans done. May raise `Cancelled`.

    Returns:
        By scan: "diagnosis", "sensitivity", "specificity" (None if undefined), "involvement_percent" (None without
        lungs), "infection_ml" and "lungs_ml", rounded; and "lungs_dice" if the scan has a mask of the lungs.

    Raises:
        InputError: A scan cannot be read or segmented.
        Cancelled: Raised by `progress`.
    """
    results = {}
    for number, scan in enumerate(scans):
        scan_progress = subprogress(progress, number / len(scans), (number + 1) / len(scans))
        results[scan.name] = _evaluate(scan, model, device, scan_progress)
    return results


def _evaluate(scan: Entry, model: Model, device: str, progress: Progress) -> dict[str, Any]:
    assert scan.slice_labels is not None
    volume = read_volume(scan.files["ct"])

    def report(stage: str, fraction: float) -> None:
        progress(f"Segmenting {scan.name}", fraction)

    try:
        segmentation = segment(volume, model, device=device, progress=report)
        lungs, infection = segmentation.lungs > 0, segmentation.infection
    except NoLungsError:  # right for a scan without lungs, a failure for others, which the volume shows
        lungs = infection = np.zeros(volume.grid.shape, dtype=bool)
    view = AxialView.of(volume.grid)
    prediction = np.flip(view.apply(infection).any(axis=(1, 2)))
    target = np.zeros(len(prediction), dtype=bool)
    target[list(scan.slice_labels.infected)] = True
    slices = ConfusionMatrix.of(prediction, target)
    lung_voxels = float(lungs.sum())
    infection_voxels = float(infection.sum())
    given = read_entry(scan).lungs if scan.labels else None
    dice = None if given is None else ConfusionMatrix.of(view.apply(lungs), given).dice
    return {
        "diagnosis": scan.slice_labels.content,
        "sensitivity": None if np.isnan(slices.sensitivity) else round(slices.sensitivity, 3),
        "specificity": None if np.isnan(slices.specificity) else round(slices.specificity, 3),
        "involvement_percent": round(100 * infection_voxels / lung_voxels, 3) if lung_voxels else None,
        "infection_ml": round(infection_voxels * volume.grid.voxel_ml, 1),
        "lungs_ml": round(lung_voxels * volume.grid.voxel_ml),
        **({} if dice is None else {"lungs_dice": round(dice, 4)}),
    }
