"""Logic of the section "correction": the rules by which Slicer's Segment Editor edits a result.

The rules are kept in the Segment Editor's own parameter node, a node of the scene that only CovidSeg uses. Slicer's
Segment Editor carries them out, and the node is saved with the scene.

- The infection is selected. Only voxels within a segment can be changed: within the lungs, or where there is infection
  already.
- Only voxels within a range of HU can be added, so that painting does not leak into vessels and the chest wall. Slicer
  applies the range to everything that an effect changes. It is therefore switched off for effects that remove.
- Slicer applies these two rules slowly. For effects that make strokes, `StrokeLimits` does so in its place.
- Segments may overlap, so that painting infection never removes a lung.
- The lungs can be corrected instead. Then every voxel can be changed.
"""

from __future__ import annotations

import numpy as np
import slicer
from slicer.i18n import tr as _

from ..scene.review import Review, Reviews
from ..scene.segmentations import INFECTION, LUNGS
from ..scene.strokes import StrokeLimits
from ..scene.voxels import join

#: Tag of the parameter node, and names of its attributes. They are stored in scenes.
EDITOR_TAG, LIMIT_ATTRIBUTE = "CovidSeg", "CovidSeg.LimitHU"
#: Range of HU that can be added, unless the user changes it: from ground glass to consolidation.
HU_RANGE = (-750.0, 50.0)
#: Names of the effects that the panel offers, in the order of their keys 1 to 0.
EFFECTS = (
    "Paint",
    "Erase",
    "Draw",
    "Level tracing",
    "Scissors",
    "Grow from seeds",
    "Islands",
    "Smoothing",
    "Threshold",
    "Logical operators",
)
#: Effects that remove voxels, or that work on whole segments.
REMOVING = ("Erase", "Scissors", "Islands", "Logical operators")
#: Effects that change a segment where the user draws. The others compute with Slicer's mask, such as Grow from seeds.
STROKES = ("Paint", "Erase", "Draw", "Level tracing", "Scissors")
#: Options of the brush: a sphere that scales with the zoom.
BRUSH = {"BrushSphere": "1", "BrushDiameterIsRelative": "1", "BrushRelativeDiameter": "3"}


class CorrectionLogic:
    """Set up Slicer's Segment Editor to correct a result.

    Args:
        reviews: The masks of the results, which sections share.
    """

    def __init__(self, reviews: Reviews):
        self._reviews = reviews
        self._strokes: StrokeLimits | None = None

    def review_of(self, segmentation: slicer.vtkMRMLSegmentationNode | None) -> Review | None:
        """Return the masks of a result, or None if it is no result or its CT is gone."""
        if segmentation is None or segmentation.GetSegmentation().GetSegment(INFECTION) is None:
            return None
        review = self._reviews.of(segmentation)
        return review if review.ct is not None and review.ct.GetImageData() is not None else None

    def editor_node(self) -> slicer.vtkMRMLSegmentEditorNode:
        """Return the parameter node of the Segment Editor that only CovidSeg uses. Add it if it is missing."""
        node = slicer.mrmlScene.GetSingletonNode(EDITOR_TAG, "vtkMRMLSegmentEditorNode")
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLSegmentEditorNode")
            node.UnRegister(None)
            node.SetSingletonTag(EDITOR_TAG)
            node.SetName("CovidSeg correction")
            node = slicer.mrmlScene.AddNode(node)
        if not node.GetAttribute(LIMIT_ATTRIBUTE):
            with slicer.util.NodeModify(node):
                node.SetAttribute(LIMIT_ATTRIBUTE, "1")
                node.SetSourceVolumeIntensityMaskRange(*HU_RANGE)
                for name, value in BRUSH.items():
                    node.SetAttribute(name, value)
        return node

    def select(self, node: slicer.vtkMRMLSegmentEditorNode, review: Review) -> None:
        """Edit the infection of a result."""
        self.leave()
        self._strokes = StrokeLimits(review, INFECTION)
        with slicer.util.NodeModify(node):
            node.SetAndObserveSegmentationNode(review.segmentation)
            node.SetAndObserveSourceVolumeNode(review.ct)
            node.SetSelectedSegmentID(INFECTION)
        self.apply_rules(node)

    def leave(self) -> None:
        """Edit no result any more."""
        if self._strokes is not None:
            self._strokes.close()
            self._strokes = None

    def apply_rules(self, node: slicer.vtkMRMLSegmentEditorNode) -> None:
        """Set the rules for what is selected and for the active effect."""
        lungs, effect = self.corrects_lungs(node), node.GetActiveEffectName()
        limited = self.limits_range(node) and not lungs and effect not in REMOVING
        ours = not lungs and effect in STROKES and self._strokes is not None and self._strokes.can_be_used()
        segmentation = slicer.vtkMRMLSegmentationNode
        everywhere = lungs or ours
        with slicer.util.NodeModify(node):
            node.SetMaskMode(
                segmentation.EditAllowedEverywhere if everywhere else segmentation.EditAllowedInsideAllSegments
            )
            node.SetOverwriteMode(node.OverwriteNone)
            node.SetSourceVolumeIntensityMask(limited and not ours)
        if self._strokes is not None:
            if ours:
                self._strokes.activate(node.GetSourceVolumeIntensityMaskRange() if limited else None)
            else:
                self._strokes.active = False

    def corrects_lungs(self, node: slicer.vtkMRMLSegmentEditorNode) -> bool:
        """Return True if the user edits a lung."""
        return node.GetSelectedSegmentID() in LUNGS

    def correct_lungs(self, node: slicer.vtkMRMLSegmentEditorNode, lungs: bool) -> None:
        """Edit the lungs, or the infection again."""
        node.SetSelectedSegmentID(LUNGS[0] if lungs else INFECTION)
        self.apply_rules(node)

    def limits_range(self, node: slicer.vtkMRMLSegmentEditorNode) -> bool:
        """Return True if only voxels within the range of HU can be added to the infection."""
        return node.GetAttribute(LIMIT_ATTRIBUTE) != "0"

    def limit_range(self, node: slicer.vtkMRMLSegmentEditorNode, limit: bool) -> None:
        """Limit what can be added to the range of HU, or not."""
        node.SetAttribute(LIMIT_ATTRIBUTE, "1" if limit else "0")
        self.apply_rules(node)

    def set_range(self, node: slicer.vtkMRMLSegmentEditorNode, low: float, high: float) -> None:
        """Set the range of HU that can be added. The limits are sorted."""
        node.SetSourceVolumeIntensityMaskRange(min(low, high), max(low, high))
        self.apply_rules(node)

    def rules(self, node: slicer.vtkMRMLSegmentEditorNode) -> str:
        """Return what can be edited at present, in one sentence."""
        if self.corrects_lungs(node):
            return _("You edit the lungs. Every voxel can be changed.")
        return _("You edit the infection, only inside the lungs. Lungs are never overwritten.")

    def outside_ml(self, review: Review) -> float:
        """Return the volume of the infection outside the lungs, in ml."""
        masks = [review.mask(name) for name in (INFECTION, *LUNGS)]
        box = join(*(mask.box for mask in masks if mask))
        if box is None or masks[0] is None:
            return 0.0
        infection, *lungs = (mask.crop(box) if mask else np.zeros((1, 1, 1), np.bool_) for mask in masks)
        return float(np.count_nonzero(infection & ~(lungs[0] | lungs[1])) * review.grid.voxel_ml)
