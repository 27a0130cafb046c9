"""Compute the region of a scan that the network of a stage sees, both in training and inference."""

from __future__ import annotations

import numpy as np

from ..preprocessing import SliceFrame, VolumeFrame, body_mask
from ..recipe import Stage
from ..volume import AxialScan


def slice_frame(stage: Stage, scan: AxialScan, lungs: np.ndarray | None = None) -> SliceFrame:
    """Return the frame of the slices for a stage that processes slices.

    Args:
        stage: The stage, which names the region.
        scan: The CT as axial slices.
        lungs: Boolean mask of the scan's shape, for the region "lungs". If None, the frame contains the whole slice.
    """
    assert stage.slices is not None
    region = np.ones(scan.shape[1:], dtype=bool)
    if stage.region == "lungs" and lungs is not None:
        region = np.asarray(lungs.any(axis=0))
    elif stage.region == "body":
        region = body_mask(scan)
    slices = stage.slices
    return SliceFrame.around(region, scan.spacing.pixel_mm, slices.size, stage.margin_mm, stretch=slices.stretch)


def volume_frame(stage: Stage, scan: AxialScan, lungs: np.ndarray | None = None) -> VolumeFrame:
    """Return the frame of a scan for a stage that processes patches. See `slice_frame` for the arguments."""
    assert stage.patches is not None
    region = np.ones(scan.shape, dtype=bool)
    if stage.region == "lungs" and lungs is not None:
        region = lungs
    elif stage.region == "body":
        region = np.broadcast_to(body_mask(scan), scan.shape)
    return VolumeFrame.around(region, scan.spacing, stage.patches.spacing_mm, stage.margin_mm)
