"""The result: right lung, left lung and infection on the grid of the CT that went in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .volume import Grid

RIGHT_LUNG, LEFT_LUNG, INFECTION = 1, 2, 3


@dataclass(frozen=True)
class Segmentation:
    """What `pipeline.segment` returns.

    Attributes:
        lungs: uint8 (z, y, x): 0 outside, 1 right lung, 2 left lung. The lungs include the infection in them.
        infection: bool (z, y, x): True where there is infection; lies within the lungs.
        probability: uint8 (z, y, x): probability of infection, 0 to 255 for 0 to 1, zero outside the lungs.
        grid: The grid of the CT.
        provenance: Model, SHA-256, device, versions, settings, duration; JSON values only.
        warnings: Sentences for the user.
    """

    lungs: np.ndarray
    infection: np.ndarray
    probability: np.ndarray
    grid: Grid
    provenance: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def labels(self) -> np.ndarray:
        """uint8 (z, y, x): 0 background, 1 right lung, 2 left lung, 3 infection, which wins over the lungs."""
        return np.where(self.infection, np.uint8(INFECTION), self.lungs)

    @property
    def segments(self) -> dict[str, np.ndarray]:
        """Boolean masks (z, y, x) by segment identifier; infection overlaps the lung that it lies in."""
        return {
            "right_lung": self.lungs == RIGHT_LUNG,
            "left_lung": self.lungs == LEFT_LUNG,
            "infection": self.infection,
        }
