"""What a stage's network is to learn of a case: the mask that belongs to its labels, and where it is known."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..data.case import Case
from ..errors import InputError
from ..postprocessing import lungs_from_probability
from ..recipe import BACKGROUND, INFECTION_LABEL, LUNG_LABELS, TUMOUR_LABEL, Stage
from ..segmentation import LEFT_LUNG, RIGHT_LUNG


def target_mask(case: Case, stage: Stage) -> np.ndarray:
    """The mask for a stage's loss, on the case's own voxels.

    Returns:
        uint8 (channels, slices, rows, columns). Labels that exclude each other make one channel, a label's number a
        voxel, and tumour and infection win over the lung that they lie in; other labels make a channel of 0 and 1 each.

    Raises:
        InputError: A label that the case has no mask of, or lungs to look within that nobody has drawn.
    """
    check_lungs_known(case, stage)
    masks = {label: _mask_of(case, label) for label in stage.labels if label != BACKGROUND}
    if not stage.exclusive:
        return np.stack(list(masks.values())).astype(np.uint8)
    classes = np.zeros((1, *case.scan.shape), dtype=np.uint8)
    for label in (*LUNG_LABELS, TUMOUR_LABEL, INFECTION_LABEL):
        if label in masks:
            classes[0][masks[label]] = stage.labels.index(label)
    return classes


def known_slices(case: Case, stage: Stage) -> np.ndarray:
    """Boolean (slices): where all that the stage is to find is known."""
    known = np.ones(len(case.scan), dtype=bool)
    for structure in (*stage.finds, *({TUMOUR_LABEL} & {*stage.labels})):
        known &= case.known_slices(structure)
    return known


def check_lungs_known(case: Case, stage: Stage) -> None:
    """Whether the lungs that a stage looks within are known.

    Raises:
        InputError: They are not.
    """
    needed = stage.region == "lungs" or stage.mask_margin_mm is not None
    if needed and not case.lungs_known.any():
        raise InputError(
            f"The recipe looks within the lungs, of which “{case.name}” has no mask: leave the scan out, or choose a "
            "recipe whose regions are “body” or “whole”."
        )


def _mask_of(case: Case, label: str) -> np.ndarray:
    if label in ("right_lung", "left_lung") and "lungs" in case.masks:
        return lung_sides(case) == (RIGHT_LUNG if label == "right_lung" else LEFT_LUNG)
    if label in case.masks:
        return case.masks[label]
    raise InputError(
        f"The data has no masks of the label “{label}”, which the recipe is to learn: leave “{case.name}” out."
    )


def lung_sides(case: Case) -> np.ndarray:
    """Which lung each voxel of the lungs belongs to, by where it lies: uint8, 0 outside, 1 right lung, 2 left lung."""
    sides = lungs_from_probability(case.lungs.astype(np.uint8) * 255, case.scan.spacing)
    if not sides.any():  # too little of a lung to be split
        middle = (case.scan.shape[2] - 1) / 2
        across = np.where(np.arange(case.scan.shape[2]) < middle, RIGHT_LUNG, LEFT_LUNG)
        return np.where(case.lungs, across, 0).astype(np.uint8)
    left_out = case.lungs & (sides == 0)  # pieces that a whole scan would not count as lung
    if left_out.any():
        nearest = ndimage.distance_transform_edt(
            sides == 0, case.scan.spacing, return_distances=False, return_indices=True
        )
        sides = np.where(left_out, sides[tuple(nearest)], sides)
    return np.where(case.lungs, sides, 0).astype(np.uint8)
