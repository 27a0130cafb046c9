"""A folder of tiny scans in the layout of covid19_ct_seg_hu, and a recipe that trains on them in seconds."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from support.tiny_case import chest_case

from CovidSegLib.data.case import Case

#: A tiny network on the slices of `tiny_case`, with random augmentation.
RECIPE = """
name = "tiny"
title = "Tiny"
summary = "A tiny network for tests."
source = "No paper"
lungs_from = "unet-cascade"

[infection]
network = "DynUNet"
labels = ["infection"]
intensity = { window_hu = [-1000.0, 200.0] }
region = "lungs"
slices = { size = [32, 32] }

[infection.arguments]
spatial_dims = 2
in_channels = 1
out_channels = 1
kernel_size = [3, 3, 3]
strides = [1, 2, 2]
upsample_kernel_size = [2, 2]
filters = [4, 6, 8]
norm_name = "batch"

[training]
epochs = { infection = 6 }
batch = 4
loss = { name = "half-bce-half-squared-dice" }
optimiser = { name = "adam", learning_rate = 0.01 }
schedule = { name = "one-cycle" }
average = 0.9
augmentation = [{ name = "chest-ct" }, { name = "mirror", probability = 0.5 }]
data = ["tiny"]
"""


def write_recipe(folder: Path, text: str = RECIPE) -> Path:
    """Write the recipe and return its path."""
    path = folder / "tiny.toml"
    path.write_text(text, encoding="utf-8")
    return path


def write_case(folder: Path, name: str, case: Case) -> None:
    """Write the three files of a case, stored from head to feet, so that reading has to flip them."""
    for kind, array in (("ct", case.scan.hu), ("lung", case.lungs), ("infection", case.infection)):
        image = sitk.GetImageFromArray(np.ascontiguousarray(array[::-1]).astype(np.int16))
        image.SetSpacing(case.scan.spacing[::-1])
        image.SetDirection((1, 0, 0, 0, 1, 0, 0, 0, -1))
        sitk.WriteImage(image, str(folder / f"{name}_{kind}.nii.gz"))


def write_data(folder: Path, patients: Collection[str] = ("p1", "p2", "p3"), slices: int = 12) -> Path:
    """Write a folder with one run of slices of each patient, and return it."""
    data = folder / "covid19_ct_seg_hu"
    data.mkdir(parents=True)
    index = [{"name": f"{patient}_run0", "patient": patient, "slices": slices} for patient in patients]
    (data / "index.json").write_text(json.dumps(index), encoding="utf-8")
    for entry in index:
        write_case(data, str(entry["name"]), chest_case(slices=slices))
    return folder
