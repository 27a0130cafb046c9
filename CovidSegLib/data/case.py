"""A scan to learn from: axial slices with masks, whatever the layout that it was read from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..volume import AxialScan

#: What masks are of. Infection and tumour lie within the lungs.
STRUCTURES = ("lungs", "infection", "tumour")


@dataclass(frozen=True)
class Case:
    """Consecutive axial slices of one scan, with what is known of them.

    Attributes:
        name: The case.
        patient: Whom it shows; splits are made by patient.
        scan: int16 HU on axial slices.
        masks: By structure (`STRUCTURES`), boolean masks of the same shape; a structure that nobody has drawn is not
            in it.
        known: By structure, boolean (slices): where the mask may be learnt from.
        eight_bit: The HU were put back from eight-bit pictures.
    """

    name: str
    patient: str
    scan: AxialScan
    masks: dict[str, np.ndarray]
    known: dict[str, np.ndarray]
    eight_bit: bool = False

    def mask(self, structure: str) -> np.ndarray:
        """The boolean mask (slices, rows, columns) of a structure, empty where there is none."""
        mask = self.masks.get(structure)
        return np.zeros(self.scan.shape, dtype=bool) if mask is None else mask

    def known_slices(self, structure: str) -> np.ndarray:
        """Boolean (slices): where a structure is known; nowhere if there is no mask of it."""
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
