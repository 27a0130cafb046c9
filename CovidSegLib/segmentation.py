"""The results of a segmentation on the grid of the CT: right lung, left lung and infection, or lung tumours."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .volume import Grid

RIGHT_LUNG, LEFT_LUNG, INFECTION = 1, 2, 3


@dataclass(frozen=True)
class Segmentation:
    """Right lung, left lung and infection in a CT, the result of `pipeline.segment`.

    Attributes:
        lungs: uint8 (z, y, x): 0 outside, 1 right lung, 2 left lung. The lungs include the infection within them.
        infection: bool (z, y, x): True inside the infection, which lies within the lungs.
        probability: uint8 (z, y, x): probability of infection, 0 to 255 for 0 to 1; zero outside the lungs.
        grid: The grid of the CT.
        provenance: Model, SHA-256, device, versions, settings and durations, as JSON values.
        warnings: Sentences for the user.

    Example:
        >>> lungs = np.uint8([[[1, 1, 0, 2]]])
        >>> infection = np.array([[[False, True, False, False]]])
        >>> result = Segmentation(lungs, infection, np.uint8(infection) * 255, Grid((1, 1, 4)))
        >>> result.labels
        array([[[1, 3, 0, 2]]], dtype=uint8)
        >>> {name: int(mask.sum()) for name, mask in result.segments.items()}
        {'right_lung': 2, 'left_lung': 1, 'infection': 1}
    """

    lungs: np.ndarray
    infection: np.ndarray
    probability: np.ndarray
    grid: Grid
    provenance: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def labels(self) -> np.ndarray:
        """uint8 (z, y, x): 0 background, 1 right lung, 2 left lung, 3 infection, which overrides the lungs."""
        return np.where(self.infection, np.uint8(INFECTION), self.lungs)

    @property
    def segments(self) -> dict[str, np.ndarray]:
        """Boolean masks (z, y, x) by segment identifier. The infection overlaps the lungs."""
        return {
            "right_lung": self.lungs == RIGHT_LUNG,
            "left_lung": self.lungs == LEFT_LUNG,
            "infection": self.infection,
        }


@dataclass(frozen=True)
class TumourSegmentation:
    """Lung tumours in a CT, the result of `tumours.segment_tumours`.

    Attributes:
        tumour: bool (z, y, x): True inside tumours.
        probability: uint8 (z, y, x): probability of tumour, 0 to 255 for 0 to 1.
        grid: The grid of the CT.
        provenance: As in `Segmentation`.
        warnings: Sentences for the user.
    """

    tumour: np.ndarray
    probability: np.ndarray
    grid: Grid
    provenance: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
