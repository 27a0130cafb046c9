"""Logic of the section "comparison": the edited masks against the model's own, and the way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import slicer

from ..scene import overlays
from ..scene.review import Review, Reviews
from ..scene.segmentations import INFECTION, LUNGS
from ..scene.voxels import BoxArray, join


@dataclass(frozen=True)
class Comparison:
    """The infection as edited against the infection of the model.

    Attributes:
        dice: Dice coefficient, 1 for equal masks; 1 if both are empty.
        added_ml: Volume that was added.
        removed_ml: Volume that was removed.
        lungs_changed_ml: Volume in which the lungs differ.
    """

    dice: float
    added_ml: float
    removed_ml: float
    lungs_changed_ml: float

    @property
    def is_edited(self) -> bool:
        """True if a mask differs from the model's."""
        return bool(self.added_ml or self.removed_ml or self.lungs_changed_ml)


class ComparisonLogic:
    """Compare results with the model's own masks, and bring these back.

    Args:
        reviews: The results of the scene.
    """

    def __init__(self, reviews: Reviews):
        self._reviews = reviews
        self._last: tuple[tuple[object, ...], Comparison] | None = None

    def is_available(self, segmentation: slicer.vtkMRMLSegmentationNode) -> bool:
        """Return True if the model's masks of a result are in the scene, and its CT."""
        review = self._reviews.of(segmentation)
        return review.original_node is not None and review.ct is not None

    def compare(self, segmentation: slicer.vtkMRMLSegmentationNode) -> Comparison | None:
        """Compare a result with the model's masks. None if the scene does not have them."""
        review = self._reviews.of(segmentation)
        if review.original(INFECTION) is None:
            return None
        masks = tuple(review.mask(name) for name in (INFECTION, *LUNGS))
        key = (review, *masks)
        # The masks are the same objects as long as they have not changed.
        if self._last is None or any(a is not b for a, b in zip(self._last[0], key, strict=True)):
            self._last = key, _compare(review, masks)
        return self._last[1]

    def is_edited(self, segmentation: slicer.vtkMRMLSegmentationNode) -> bool:
        """Return True if a result differs from what the model has computed."""
        comparison = self.compare(segmentation)
        return bool(comparison and comparison.is_edited)

    def show_outline(self, segmentation: slicer.vtkMRMLSegmentationNode, visible: bool) -> None:
        """Show or hide the outline of the model's infection."""
        review = self._reviews.of(segmentation)
        original = review.original(INFECTION)
        if visible and original is not None:
            overlays.show(segmentation, overlays.AI_OUTLINE, original, review.ct)
        else:
            overlays.hide(segmentation, overlays.AI_OUTLINE)

    def is_outline_shown(self, segmentation: slicer.vtkMRMLSegmentationNode) -> bool:
        """Return True if the outline of the model's infection is shown."""
        return overlays.is_shown(segmentation, overlays.AI_OUTLINE)

    def restore(self, segmentation: slicer.vtkMRMLSegmentationNode, lung: str | None = None) -> None:
        """Bring back the model's masks, as one step that can be undone.

        Args:
            segmentation: The result.
            lung: "right_lung" or "left_lung"; both lungs and all infection if None.
        """
        review = self._reviews.of(segmentation)
        if review.original(INFECTION) is None:
            return
        review.save_state()
        if lung is None:
            for name in (*LUNGS, INFECTION):
                review.write(name, _of_model(review, name), undo=False)
        else:
            region = _union(review.mask(lung), review.original(lung))
            if region is not None:
                review.write(lung, _of_model(review, lung), undo=False)
                self.restore_infection(segmentation, region, undo=False)
        review.update_surface()

    def restore_infection(
        self, segmentation: slicer.vtkMRMLSegmentationNode, region: BoxArray, *, undo: bool = True
    ) -> None:
        """Bring back the model's infection within a region, such as a lesion.

        Args:
            segmentation: The result.
            region: Boolean mask on the CT's grid.
            undo: Save the state before.
        """
        review = self._reviews.of(segmentation)
        original = review.original(INFECTION)
        if original is None:
            return
        mask = review.mask(INFECTION)
        box = join(original.box, region.box, mask.box if mask else None)
        assert box is not None
        present = mask.crop(box) if mask else np.zeros([part.stop - part.start for part in box], bool)
        mixed = np.where(region.crop(box), original.crop(box), present)
        review.write_infection(BoxArray(mixed, box), undo=undo)


def _compare(review: Review, masks: tuple[BoxArray | None, ...]) -> Comparison:
    counts = {}
    for name, mask in zip((INFECTION, *LUNGS), masks, strict=True):
        original = _of_model(review, name)
        box = join(original.box, mask.box if mask else None)
        assert box is not None
        before = original.crop(box)
        present = mask.crop(box) if mask else np.zeros_like(before)
        common = np.count_nonzero(before & present)
        counts[name] = (np.count_nonzero(present) - common, np.count_nonzero(before) - common, common)
    added, removed, common = counts[INFECTION]
    total = added + removed + 2 * common
    voxel_ml = review.grid.voxel_ml
    lungs = sum(sum(counts[name][:2]) for name in LUNGS)
    return Comparison(2 * common / total if total else 1.0, added * voxel_ml, removed * voxel_ml, lungs * voxel_ml)


def _of_model(review: Review, name: str) -> BoxArray:
    original = review.original(name)
    assert original is not None
    return original


def _union(first: BoxArray | None, second: BoxArray | None) -> BoxArray | None:
    box = join(first.box if first else None, second.box if second else None)
    if box is None:
        return None
    masks = [mask.crop(box) for mask in (first, second) if mask]
    return BoxArray(masks[0] | masks[-1], box)
