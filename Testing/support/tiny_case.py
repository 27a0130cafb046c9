"""A tiny annotated scan of two lungs."""

from __future__ import annotations

import numpy as np

from CovidSegLib.data.case import Case
from CovidSegLib.volume import AxialScan, AxialSpacing


def chest_case(name: str = "a", slices: int = 12, eight_bit: bool = True) -> Case:
    """Return a case with two round lungs that move from slice to slice, and a round opacity in one of them."""
    rows, columns = np.mgrid[:48, :48]
    beside = np.minimum(np.abs(columns - 14), np.abs(columns - 34))
    lungs = np.stack([np.hypot((rows - 24 - z / 2) / 1.4, beside) < 9 for z in range(slices)])
    infection = np.stack([np.hypot(rows - 18 - z, columns - 14) < 4 for z in range(slices)]) & lungs
    noise = np.random.default_rng(0).normal(0, 20, lungs.shape)
    axial = np.where(infection, -300, np.where(lungs, -850, 40)) + noise
    known = np.ones(slices, dtype=bool)
    masks = {"lungs": lungs, "infection": infection}
    scan = AxialScan(axial.astype(np.int16), AxialSpacing(3.0, 7.0, 7.0))
    return Case(name, name, scan, masks, dict.fromkeys(masks, known), eight_bit=eight_bit)
