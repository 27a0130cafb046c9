"""A data set of three patients with masks of a few voxels, and stand-ins for `pipeline.segment`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from CovidSegLib.evaluation.patients import COPIES
from CovidSegLib.models import Model
from CovidSegLib.segmentation import Segmentation
from CovidSegLib.volume import Grid, Volume

SHAPE = (6, 4, 5)
#: Patient and infected slices of each slice range.
RUNS = {"p1_a": ("p1", [0, 1]), "p1_b": ("p1", [2]), "p2_a": ("p2", [1, 2, 3]), "p3_a": ("p3", [])}
#: Slice ranges of a single slice. That of p1 is never evaluated, as there is a scan of p1.
SINGLE_SLICES = {"p1_c": ("p1", [0]), "single_a": ("single", [0])}


def segmented(grid: Grid, *infected: int) -> Segmentation:
    """Return a segmentation in which every voxel is lung, and two voxels of each given slice are infected."""
    infection = np.zeros(grid.shape, bool)
    infection[list(infected), 1, :2] = True
    return Segmentation(np.ones(grid.shape, np.uint8), infection, np.zeros(grid.shape, np.uint8), grid)


def write_masked_patients(folder: Path, *, single: bool = True) -> Path:
    """Write the data set, with or without the patient "single", of whom there is nothing but a single slice."""
    layout = folder / "covid19_ct_seg_hu"
    layout.mkdir(parents=True)
    grid = Grid(SHAPE, (10.0, 10.0, 20.0))
    hu = np.full(SHAPE, -800)
    hu[:, 0] = 40
    index = []
    for name, (patient, infected) in {**RUNS, **SINGLE_SLICES}.items():
        if patient == "single" and not single:
            continue
        target = segmented(grid, *infected)
        depth = 1 if name in SINGLE_SLICES else SHAPE[0]
        for kind, array in (("ct", hu), ("lung", target.lungs), ("infection", target.infection)):
            image = sitk.GetImageFromArray(array[:depth].astype(np.int16))
            image.SetSpacing(grid.spacing)
            sitk.WriteImage(image, str(layout / f"{name}_{kind}.nii.gz"))
        index.append({"name": name, "patient": patient, "slices": depth})
    (layout / "index.json").write_text(json.dumps(index))
    return folder


def always(*infected: int) -> Callable[..., Segmentation]:
    """Return a stand-in for `pipeline.segment` that predicts infection in the given slices of any CT.

    In copies of a single slice, it predicts infection in all of them.
    """

    def segment(volume: Volume, model: Model, **options: object) -> Segmentation:
        assert volume.grid.shape in (SHAPE, (COPIES, *SHAPE[1:]))
        options["progress"]("Masks are ready", 1.0)
        return segmented(volume.grid, *(infected if volume.grid.shape == SHAPE else range(COPIES)))

    return segment
