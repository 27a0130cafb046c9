"""The scans to learn from: axial slices with masks, read from the layouts in which people have them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..preprocessing import AxialView
from ..reading import read_volume
from ..volume import Volume
from .threshold_lungs import threshold_lungs


@dataclass(frozen=True)
class Case:
    """Consecutive axial slices of one scan, with what is known of them.

    Attributes:
        name: The case.
        patient: Whom it shows; splits are made by patient.
        axial: int16 HU (slices, rows, columns), as `AxialView` turns them.
        spacing: mm between slices, rows, columns.
        lungs, infection: Boolean masks of the same shape.
        lungs_known, infection_known: Boolean (slices): where the mask may be learnt from.
        eight_bit: The HU were put back from eight-bit pictures.
    """

    name: str
    patient: str
    axial: np.ndarray
    spacing: tuple[float, float, float]
    lungs: np.ndarray
    infection: np.ndarray
    lungs_known: np.ndarray
    infection_known: np.ndarray
    eight_bit: bool


def covid19_ct_seg(folder: Path) -> list[Case]:
    """Runs of slices of COVID-19-CT-Seg: NAME_ct, NAME_lung and NAME_infection .nii.gz, listed in index.json."""
    cases = []
    for entry in json.loads((folder / "index.json").read_text(encoding="utf-8")):
        name = entry["name"]
        files = (folder / f"{name}_{kind}.nii.gz" for kind in ("ct", "lung", "infection"))
        ct, lungs, infection = (Volume.of_image(sitk.ReadImage(str(file))) for file in files)
        view = AxialView.of(ct.grid)
        known = np.ones(view.apply(ct.array).shape[0], dtype=bool)
        cases.append(
            Case(
                name=name,
                patient=entry["patient"],
                axial=view.apply(ct.array),
                spacing=view.spacing(ct.grid),
                lungs=view.apply(lungs.array) > 0,
                infection=view.apply(infection.array) > 0,
                lungs_known=known,
                infection_known=known,
                eight_bit=True,
            )
        )
    return cases


def covid_ct_md(folder: Path, name: str, beside: int = 4) -> Case:
    """A whole DICOM scan of COVID-CT-MD, of which only the slices without infection are used.

    Its lungs are outlined by `threshold_lungs`; that fails in consolidation, so the infected slices that labels.json
    lists, and `beside` more on either side of them, are not used.

    Args:
        folder: The data set: a folder of DICOM files a scan, and labels.json, which counts slices from the head.
        name: The scan.
        beside: Slices.
    """
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))["cases"][name]
    volume = read_volume(folder / name)
    view = AxialView.of(volume.grid)
    axial, spacing = view.apply(volume.array), view.spacing(volume.grid)
    infected = np.zeros(len(axial), dtype=bool)
    for from_head in labels["infected_slices"]:
        at = len(axial) - 1 - from_head
        infected[max(0, at - beside) : at + beside + 1] = True
    lungs = threshold_lungs(axial, spacing)
    return Case(
        name=name,
        patient=name,
        axial=axial,
        spacing=spacing,
        lungs=lungs,
        infection=np.zeros_like(lungs),
        lungs_known=~infected,
        infection_known=~infected & lungs.any(axis=(1, 2)),
        eight_bit=False,
    )
