"""Training targets: the mask of a stage's labels, and the slices on which it is annotated."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..data.case import Case
from ..errors import InputError
from ..postprocessing import lungs_from_probability
from ..recipe import BACKGROUND, INFECTION_LABEL, LUNG_LABELS, TUMOUR_LABEL, Stage
from ..segmentation import LEFT_LUNG, RIGHT_LUNG


def target_mask(case: Case, stage: Stage) -> np.ndarray:
    """Return the target of a stage's loss on the voxels of a case.

    Returns:
        uint8 (channels, slices, rows, columns). For mutually exclusive labels there is one channel that holds the index
        of the label; tumour and infection win over the lung around them. Otherwise there is one channel of zeros and
        ones for each label.

    Raises:
        InputError: The case has no mask of a label, or no lung mask although the stage looks within the lungs.
    """
    check_lungs_known(case, stage)
    masks = {label: _label_mask(case, label) for label in stage.labels if label != BACKGROUND}
    if not stage.exclusive:
        return np.stack(list(masks.values())).astype(np.uint8)
    classes = np.zeros((1, *case.scan.shape), dtype=np.uint8)
    for label in (*LUNG_LABELS, TUMOUR_LABEL, INFECTION_LABEL):
        if label in masks:
            classes[0][masks[label]] = stage.labels.index(label)
    return classes


def known_slices(case: Case, stage: Stage) -> np.ndarray:
    """Return a boolean array (slices): where all structures of the stage are annotated."""
    known = np.ones(len(case.scan), dtype=bool)
    for structure in stage.finds:
        known &= case.known_slices(structure)
    return known


def check_lungs_known(case: Case, stage: Stage) -> None:
    """Check that the case has a lung mask if the stage looks within the lungs.

    Raises:
        InputError: It has none.
    """
    needed = stage.region == "lungs" or stage.mask_margin_mm is not None
    if needed and not case.lungs_known.any():
        raise InputError(
            f'"{case.name}" has no lung mask, but the recipe looks within the lungs. Leave the scan out, or choose a '
            'recipe whose regions are "body" or "whole".'
        )


def side_without_findings(case: Case, label: str) -> np.ndarray:
    """Return the target of the label "right_lung" or "left_lung" of exclusive labels: without infection and tumour.

    Returns:
        Boolean (slices, rows, columns).
    """
    return _label_mask(case, label) & ~case.infection & ~case.mask(TUMOUR_LABEL)


def _label_mask(case: Case, label: str) -> np.ndarray:
    if label in case.masks:  # the sides too, if the data set states them
        return case.masks[label]
    if label in ("right_lung", "left_lung") and "lungs" in case.masks:
        return lung_sides(case) == (RIGHT_LUNG if label == "right_lung" else LEFT_LUNG)
    raise InputError(
        f'"{case.name}" has no mask of the label "{label}", on which the recipe is trained. Leave the scan out, or '
        "choose another recipe."
    )


def lung_sides(case: Case) -> np.ndarray:
    """Split the lung mask of a case into right and left lung by position.

    Returns:
        uint8 (slices, rows, columns): 0 outside the lungs, 1 right lung, 2 left lung.
    """
    sides = lungs_from_probability(case.lungs.astype(np.uint8) * 255, case.scan.spacing)
    if not sides.any():  # too little lung to be split
        middle = (case.scan.shape[2] - 1) / 2
        by_column = np.where(np.arange(case.scan.shape[2]) < middle, RIGHT_LUNG, LEFT_LUNG)
        return np.where(case.lungs, by_column, 0).astype(np.uint8)
    missing = case.lungs & (sides == 0)  # pieces that the pipeline would drop as too small
    if missing.any():
        nearest = ndimage.distance_transform_edt(
            sides == 0, case.scan.spacing, return_distances=False, return_indices=True
        )
        sides = np.where(missing, sides[tuple(nearest)], sides)
    return np.where(case.lungs, sides, 0).astype(np.uint8)
