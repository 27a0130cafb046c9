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

#: What masks are of. Infection and tumour lie within the lungs.
STRUCTURES = ("lungs", "infection", "tumour")


@dataclass(frozen=True)
class Case:
    """Consecutive axial slices of one scan, with what is known of them.

    Attributes:
        name: The case.
        patient: Whom it shows; splits are made by patient.
        axial: int16 HU (slices, rows, columns), as `AxialView` turns them.
        spacing: mm between slices, rows, columns.
        masks: By structure (`STRUCTURES`), boolean masks of the same shape; a structure that nobody has drawn is not
            in it.
        known: By structure, boolean (slices): where the mask may be learnt from.
        eight_bit: The HU were put back from eight-bit pictures.
    """

    name: str
    patient: str
    axial: np.ndarray
    spacing: tuple[float, float, float]
    masks: dict[str, np.ndarray]
    known: dict[str, np.ndarray]
    eight_bit: bool = False

    def mask(self, structure: str) -> np.ndarray:
        """The boolean mask (slices, rows, columns) of a structure, empty where there is none."""
        mask = self.masks.get(structure)
        return np.zeros(self.axial.shape, dtype=bool) if mask is None else mask

    def known_slices(self, structure: str) -> np.ndarray:
        """Boolean (slices): where a structure is known; nowhere if there is no mask of it."""
        known = self.known.get(structure) if structure in self.masks else None
        return np.zeros(len(self.axial), dtype=bool) if known is None else known

    @property
    def lungs(self) -> np.ndarray:
        """`mask` of the lungs."""
        return self.mask("lungs")

    @property
    def infection(self) -> np.ndarray:
        """`mask` of the infection."""
        return self.mask("infection")

    @property
    def lungs_known(self) -> np.ndarray:
        """`known_slices` of the lungs."""
        return self.known_slices("lungs")

    @property
    def infection_known(self) -> np.ndarray:
        """`known_slices` of the infection."""
        return self.known_slices("infection")


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
                masks={"lungs": view.apply(lungs.array) > 0, "infection": view.apply(infection.array) > 0},
                known={"lungs": known, "infection": known},
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
        masks={"lungs": lungs, "infection": np.zeros_like(lungs)},
        known={"lungs": ~infected, "infection": ~infected & lungs.any(axis=(1, 2))},
        eight_bit=False,
    )
