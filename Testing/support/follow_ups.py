"""Two small CTs of one patient, which need no registration."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import SimpleITK as sitk

from CovidSegLib.followup import FollowUp, Registration, TimePoint, comparison, follow_up
from CovidSegLib.volume import Grid, GridSpacing

from .grids import chest

#: Voxels of 0.008 ml.
GRID = Grid((24, 30, 40), GridSpacing(2.0, 2.0, 2.0), (-40.0, 30.0, -900.0))
FIRST, SECOND = date(2020, 3, 2), date(2020, 4, 2)


def box(z: int, y: int, x: int, size: int = 4) -> np.ndarray:
    """Return a cube of infection with its first voxel at (z, y, x)."""
    mask = np.zeros(GRID.shape, bool)
    mask[z : z + size, y : y + size, x : x + size] = True
    return mask


def time_point(infection: np.ndarray, day: date | None = None, **provenance: Any) -> TimePoint:
    """Return the chest with an infection, the same for the same infection."""
    volume, segmentation = chest(GRID)
    array = np.where(infection, -300, np.where(segmentation.lungs > 0, -850, 40)).astype(np.int16)
    provenance = {**segmentation.provenance, **provenance}
    segmentation = replace(segmentation, infection=infection, provenance=provenance, warnings=())
    return TimePoint(replace(volume, array=array, warnings=()), segmentation, day)


def earlier(day: date | None = FIRST, **provenance: Any) -> TimePoint:
    """Return the earlier CT: a lesion in each lung, and one that will be gone."""
    return time_point(box(2, 8, 6) | box(10, 8, 30) | box(18, 20, 6), day, **provenance)


def current(day: date | None = SECOND, **provenance: Any) -> TimePoint:
    """Return the current CT: one lesion is the same, one has grown, one is gone, one is new."""
    return time_point(box(2, 8, 6) | box(10, 8, 29, 5) | box(18, 20, 30), day, **provenance)


def without_registration(monkeypatch: Any, transform: sitk.Transform | None = None, dice: float = 0.97) -> None:
    """Let `follow_up` take the lungs to lie where they are, or where a transform says."""
    found = Registration(transform or sitk.Transform(), dice, 0.9)
    monkeypatch.setattr(comparison, "register_lungs", lambda *arguments: found)


def compared(monkeypatch: Any, **options: Any) -> FollowUp:
    """Return the comparison of both CTs."""
    without_registration(monkeypatch)
    return follow_up(current(), earlier(), **options)
