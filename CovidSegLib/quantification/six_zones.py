"""The six-zone score of masks alone, for results that are measured without their CT."""

from __future__ import annotations

import numpy as np

from ..masks import bounding_box
from ..volume import Grid
from .severity import Severity, six_zone_score
from .zones import ZONE_COUNT, ZONES, heights, zone_codes, zone_limits


def six_zone_severity(lungs: np.ndarray, infection: np.ndarray, grid: Grid) -> Severity:
    """Return the score that `numbers.numbers_of` computes for the same masks.

    Args:
        lungs: uint8 (z, y, x): 0 outside, 1 right lung, 2 left lung. The lungs include the infection.
        infection: Boolean (z, y, x).
        grid: Their grid.
    """
    names = [f"{side} {zone}" for side in ("right", "left") for zone in ZONES]
    box = bounding_box(lungs)
    if box is None:
        return six_zone_score(dict.fromkeys(names))
    height = heights(grid, box)
    codes = zone_codes(lungs[box], height, zone_limits(lungs[box], height))
    voxels = np.bincount(codes.ravel(), minlength=ZONE_COUNT + 1)[1:]
    infected = np.bincount(codes[infection[box]], minlength=ZONE_COUNT + 1)[1:]
    shares = [100 * int(part) / int(whole) if whole else None for part, whole in zip(infected, voxels, strict=True)]
    return six_zone_score(dict(zip(names, shares, strict=True)))
