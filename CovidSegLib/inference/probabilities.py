"""The predicted probability maps of a scan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Probabilities:
    """Probability maps of the structures that a stage predicts.

    Attributes:
        lungs: uint8 of the scan's shape, 0 to 255 for probabilities from 0 to 1; None if the stage does not predict
            the lungs.
        infection: The same for the infection.
        tumour: The same for lung tumours.
    """

    lungs: np.ndarray | None = None
    infection: np.ndarray | None = None
    tumour: np.ndarray | None = None

    def of(self, structure: str) -> np.ndarray:
        """Return the map of a structure, "lungs", "infection" or "tumour".

        Raises:
            KeyError: The stage does not predict this structure.
        """
        probability = {"lungs": self.lungs, "infection": self.infection, "tumour": self.tumour}[structure]
        if probability is None:
            raise KeyError(structure)
        return probability
