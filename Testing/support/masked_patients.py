"""Three patients with masks of a few voxels, and stand-ins for their segmentation."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from CovidSegLib.models import Model
from CovidSegLib.segmentation import Segmentation
from CovidSegLib.volume import Grid, Volume

SHAPE = (6, 4, 5)
#: Runs of six slices but for the last ones; which of them are infected.
RUNS = {"p1_a": ("p1", [0, 1]), "p1_b": ("p1", [2]), "p2_a": ("p2", [1, 2, 3]), "p3_a": ("p3", [])}


def segmented(grid: Grid, *infected: int) -> Segmentation:
    """Everything is lung; two voxels are infected in each of these slices of the array."""
    infection = np.zeros(SHAPE, bool)
    infection[list(infected), 1, :2] = True
    return Segmentation(np.ones(SHAPE, np.uint8), infection, np.zeros(SHAPE, np.uint8), grid)


def write_masked_patients(folder: Path) -> Path:
    """Three patients with masks, of whom a single slice of the first is left out; the patient "single" has no more."""
    layout = folder / "covid19_ct_seg_hu"
    layout.mkdir(parents=True)
    grid = Grid(SHAPE, (10.0, 10.0, 20.0))
    hounsfield = np.full(SHAPE, -800)
    hounsfield[:, 0] = 40
    index = []
    for name, (patient, infected) in {**RUNS, "p1_c": ("p1", [0]), "single_a": ("single", [0])}.items():
        truth = segmented(grid, *infected)
        depth = SHAPE[0] if name in RUNS else 1
        for kind, array in (
            ("ct", hounsfield),
            ("lung", truth.lungs),
            ("infection", truth.infection),
        ):
            image = sitk.GetImageFromArray(array[:depth].astype(np.int16))
            image.SetSpacing(grid.spacing)
            sitk.WriteImage(image, str(layout / f"{name}_{kind}.nii.gz"))
        index.append({"name": name, "patient": patient, "slices": depth})
    (layout / "index.json").write_text(json.dumps(index))
    return folder


def always(*infected: int) -> Callable[..., Segmentation]:
    """Stands for the pipeline: whatever the CT, these slices are infected."""

    def segment(volume: Volume, model: Model, **options: object) -> Segmentation:
        assert volume.grid.shape == SHAPE
        options["progress"]("Masks are ready", 1.0)
        return segmented(volume.grid, *infected)

    return segment
