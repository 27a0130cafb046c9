"""Keep strokes of a tool within the editable area. This is faster than Slicer's own masking.

With each stroke, Slicer computes in the whole CT where editing is allowed, which takes more than a second on
512 x 512 x 300 voxels. Here the stroke is applied without a mask, and what it has added elsewhere is taken back at
once: in the event that Slicer sends after it has changed the labelmap, before views and sections see the change.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
from vtk.util.numpy_support import vtk_to_numpy

from CovidSegLib.masks import Box, bounding_box

from .review import Review
from .voxels import BINARY_LABELMAP, BoxArray, labelmap_start

#: Priority of the observer. Others have 0.
_FIRST = 100.0


class StrokeLimits:
    """Limits what strokes add to a segment to voxels of other segments, and to a range of HU.

    Only changes of the labelmap in place are limited. An undo, and whatever CovidSeg writes, replaces the labelmap.

    Args:
        review: The result.
        segment_id: The segment that is edited.

    Attributes:
        active: True while strokes are limited.
        hu_range: Lowest and highest HU of voxels that can be added; None for all.
    """

    def __init__(self, review: Review, segment_id: str):
        self.active = False
        self.hu_range: tuple[float, float] | None = None
        self._review, self._segment_id = review, segment_id
        self._contents = review.segmentation.GetSegmentation()
        self._labelmap: Any = None
        self._before: BoxArray | None = None
        event = self._contents.SourceRepresentationModified
        self._observer = self._contents.AddObserver(event, self._on_change, _FIRST)

    def can_be_used(self) -> bool:
        """Return True if the segment has a labelmap of its own, so that a stroke changes it in place."""
        others: list[str] = []
        if self._present_labelmap() is not None:
            self._contents.GetSegmentIDsSharingBinaryLabelmapRepresentation(self._segment_id, others, False)
        return self._present_labelmap() is not None and not others

    def activate(self, hu_range: tuple[float, float] | None) -> None:
        """Limit the strokes that follow."""
        self.active, self.hu_range = True, hu_range
        self._follow()

    def close(self) -> None:
        """Stop to observe the result."""
        self.active = False
        self._contents.RemoveObserver(self._observer)

    def _present_labelmap(self) -> Any:
        segment = self._contents.GetSegment(self._segment_id)
        return segment.GetRepresentation(BINARY_LABELMAP) if segment else None

    def _follow(self) -> None:
        """Take over the present mask, to compare with it after the next stroke."""
        self._labelmap = self._present_labelmap()
        self._before = self._review.mask(self._segment_id) if self._labelmap is not None else None

    def _on_change(self, _caller: object, _event: str) -> None:
        if not self.active or self._review.ct is None:
            return
        labelmap = self._present_labelmap()
        if labelmap is not None and labelmap is self._labelmap:
            self._take_back(labelmap)
        self._follow()

    def _take_back(self, labelmap: slicer.vtkOrientedImageData) -> None:
        """Remove what was added outside the limits."""
        mask = self._review.mask(self._segment_id)
        if mask is None or mask is self._before:
            return
        added = mask.array if self._before is None else mask.array > self._before.crop(mask.box)
        within = bounding_box(added)
        if within is None:
            return
        box = _moved(within, [part.start for part in mask.box])
        excess = added[within] & ~self._allowed(box)
        start = labelmap_start(labelmap, self._review.segmentation, self._review.ct)
        if start is None or not excess.any():
            return
        extent = np.reshape(labelmap.GetExtent(), (3, 2))[::-1]
        scalars = labelmap.GetPointData().GetScalars()
        values = vtk_to_numpy(scalars).reshape(extent[:, 1] - extent[:, 0] + 1)
        values[_moved(box, [-int(begin) for begin in start])][excess] = 0
        # Not the labelmap: Slicer would remove the surfaces and send this event again.
        scalars.Modified()

    def _allowed(self, box: Box) -> np.ndarray:
        """Return where voxels can be added."""
        names = [name for name in self._contents.GetSegmentIDs() if name != self._segment_id]
        masks = [mask for mask in map(self._review.mask, names) if mask is not None]
        allowed = np.zeros([part.stop - part.start for part in box], bool)
        for mask in masks:
            allowed |= mask.crop(box)
        if self.hu_range is not None:
            hu = self._review.hu()[box]
            allowed &= (hu >= self.hu_range[0]) & (hu <= self.hu_range[1])
        return allowed


def _moved(box: Box, by: list[int]) -> Box:
    z, y, x = (slice(part.start + shift, part.stop + shift) for part, shift in zip(box, by, strict=True))
    return z, y, x
