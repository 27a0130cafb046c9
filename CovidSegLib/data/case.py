"""A case: axial slices with masks, independent of the layout from which they were read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..volume import AxialScan

#: Structures that masks may show. Infection and tumour lie within the lungs. The sides are those of data sets that
#: label them; for others, `training.targets.lung_sides` tells them apart by position. Ground glass and
#: consolidation are parts of the infection.
STRUCTURES = ("lungs", "right_lung", "left_lung", "infection", "ground_glass", "consolidation", "tumour")


@dataclass(frozen=True)
class Case:
    """Consecutive axial slices of one scan with their masks.

    Attributes:
        name: Name of the case.
        patient: Name of the patient. Splits are made by patient.
        scan: int16 HU on axial slices.
        masks: Boolean masks of the same shape by structure (`STRUCTURES`); without the structures that are not
            annotated.
        known: By structure, boolean (slices): where the mask may be used for training and evaluation.
        eight_bit: The HU were restored from eight-bit images.
    """

    name: str
    patient: str
    scan: AxialScan
    masks: dict[str, np.ndarray]
    known: dict[str, np.ndarray]
    eight_bit: bool = False

    def mask(self, structure: str) -> np.ndarray:
        """Return the boolean mask (slices, rows, columns) of a structure; empty if it is not annotated."""
        mask = self.masks.get(structure)
        return np.zeros(self.scan.shape, dtype=bool) if mask is None else mask

    def known_slices(self, structure: str) -> np.ndarray:
        """Return boolean (slices): where a structure is known; nowhere if it is not annotated."""
        known = self.known.get(structure) if structure in self.masks else None
        return np.zeros(len(self.scan), dtype=bool) if known is None else known

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
