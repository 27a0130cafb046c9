"""The part of a scan that a stage's network sees, in training and inference alike."""

from __future__ import annotations

import numpy as np

from ..preprocessing import SliceFrame, VolumeFrame, body_mask
from ..recipe import Stage
from ..volume import AxialScan


def slice_frame(stage: Stage, scan: AxialScan, lungs: np.ndarray | None = None) -> SliceFrame:
    """The rectangle of the slices of a scan for a stage that sees slices.

    Args:
        stage: Names the region.
        scan: The CT as axial slices.
        lungs: Boolean mask, as far as the lungs are known; needed for the region "lungs".
    """
    assert stage.slices is not None
    region = np.ones(scan.shape[1:], dtype=bool)
    if stage.region == "lungs" and lungs is not None:
        region = np.asarray(lungs.any(axis=0))
    elif stage.region == "body":
        region = body_mask(scan)
    return SliceFrame.around(region, scan.spacing.pixel_mm, stage.slices.size, stage.margin_mm)


def volume_frame(stage: Stage, scan: AxialScan, lungs: np.ndarray | None = None) -> VolumeFrame:
    """The box of a scan for a stage that sees patches; arguments as of `slice_frame`."""
    assert stage.patches is not None
    region = np.ones(scan.shape, dtype=bool)
    if stage.region == "lungs" and lungs is not None:
        region = lungs
    elif stage.region == "body":
        region = np.broadcast_to(body_mask(scan), scan.shape)
    return VolumeFrame.around(region, scan.spacing, stage.patches.spacing_mm, stage.margin_mm)
