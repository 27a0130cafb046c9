"""How masks differ from those that the model has computed."""

from __future__ import annotations

import numpy as np

from ..segmentation import Segmentation
from .review import Edits


def edits_of(segmentation: Segmentation, original: Segmentation) -> Edits:
    """Compare the present masks of a CT with the model's.

    Args:
        segmentation: The present masks.
        original: The model's masks on the same grid.

    >>> from CovidSegLib.volume import Grid, GridSpacing
    >>> grid = Grid((1, 1, 4), GridSpacing(10.0, 10.0, 10.0))
    >>> lungs, before, after = np.uint8([[[1, 1, 1, 2]]]), np.zeros((1, 1, 4), bool), np.zeros((1, 1, 4), bool)
    >>> before[..., :2] = after[..., 1:3] = True
    >>> edits = edits_of(Segmentation(lungs, after, lungs, grid), Segmentation(lungs, before, lungs, grid))
    >>> edits.dice, edits.added_ml, edits.removed_ml, edits.lungs_changed_ml
    (0.5, 1.0, 1.0, 0.0)
    """
    ml = segmentation.grid.voxel_ml
    kept = int(np.count_nonzero(segmentation.infection & original.infection))
    added = int(np.count_nonzero(segmentation.infection)) - kept
    removed = int(np.count_nonzero(original.infection)) - kept
    total = added + removed + 2 * kept
    lungs = int(np.count_nonzero(segmentation.lungs != original.lungs))
    return Edits(2 * kept / total if total else 1.0, added * ml, removed * ml, lungs * ml)
