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
        #: Voxels that were added, removed and kept, by segment, with the two masks that were compared.
        self._counts: dict[str, tuple[BoxArray | None, BoxArray, tuple[int, int, int]]] = {}

    def is_available(self, segmentation: slicer.vtkMRMLSegmentationNode) -> bool:
        """Return True if the model's masks of a result are in the scene, and its CT."""
        review = self._reviews.of(segmentation)
        return review.original_node is not None and review.ct is not None

    def prepare(self, segmentation: slicer.vtkMRMLSegmentationNode) -> bool:
        """Do a piece of the work of `compare`, some hundredths of a second. Return True if there is more to do."""
        review = self._reviews.of(segmentation)
        if review.original(INFECTION) is None:
            return False
        for name in (INFECTION, *LUNGS):
            if not self._is_known(review, name):
                self._count(review, name)
                break
        return not all(self._is_known(review, name) for name in (INFECTION, *LUNGS))

    def compare(self, segmentation: slicer.vtkMRMLSegmentationNode) -> Comparison | None:
        """Compare a result with the model's masks. None if the scene does not have them."""
        review = self._reviews.of(segmentation)
        if review.original(INFECTION) is None:
            return None
        added, removed, kept = self._count(review, INFECTION)
        total = added + removed + 2 * kept
        ml = review.grid.voxel_ml
        lungs = sum(sum(self._count(review, name)[:2]) for name in LUNGS)
        return Comparison(2 * kept / total if total else 1.0, added * ml, removed * ml, lungs * ml)

    def _count(self, review: Review, name: str) -> tuple[int, int, int]:
        """Return the number of voxels that were added, removed and kept."""
        if not self._is_known(review, name):
            mask, original = review.mask(name), _of_model(review, name)
            box = join(original.box, mask.box if mask else None)
            assert box is not None
            before = original.crop(box)
            present = mask.crop(box) if mask else np.zeros_like(before)
            kept = int(np.count_nonzero(before & present))
            counts = int(np.count_nonzero(present)) - kept, int(np.count_nonzero(before)) - kept, kept
            self._counts[name] = mask, original, counts
        return self._counts[name][2]

    def _is_known(self, review: Review, name: str) -> bool:
        """Return True if a segment was counted. The masks are the same objects as long as they have not changed."""
        known = self._counts.get(name)
        return known is not None and known[0] is review.mask(name) and known[1] is review.original(name)

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
