"""Effects of Slicer's Segment Editor, by the parameters that they set, and by what they do to a segment."""

import numpy as np
from vtk.util.numpy_support import vtk_to_numpy

from CovidSegLib.masks import bounding_box

#: Effects of Slicer in the order in which they are registered, with the parameters that `setMRMLDefaults` sets.
EFFECTS = {
    "Threshold": {"AutoThresholdMethod": "OTSU"},
    "Paint": {
        "BrushMinimumAbsoluteDiameter": "0.01",
        "BrushMaximumAbsoluteDiameter": "100",
        "BrushAbsoluteDiameter": "5",
        "BrushRelativeDiameter": "3",
        "BrushDiameterIsRelative": "1",
        "BrushSphere": "0",
        "EditIn3DViews": "0",
        "BrushPixelMode": "0",
    },
    "Draw": {},
    "Erase": {},
    "Level tracing": {},
    "Grow from seeds": {},
    "Fill between slices": {},
    "Margin": {},
    "Hollow": {},
    "Smoothing": {"Smoothing.SmoothingMethod": "MEDIAN"},
    "Scissors": {"Scissors.Operation": "EraseInside"},
    "Islands": {"Islands.Operation": "KEEP_LARGEST_ISLAND"},
    "Logical operators": {"Logical operators.BypassMasking": "1"},
    "Mask volume": {},
}


class Effect:
    """An editor effect. `modify` stands for what the user draws."""

    def __init__(self, name, logic):
        self.name, self._logic = name, logic

    def saveStateForUndo(self):
        self._logic.SaveStateForUndo()

    def modify(self, mask):
        """Add a mask on the reference grid to the selected segment, or remove it, as this effect does."""
        logic = self._logic
        node = logic.GetSegmentEditorNode()
        assert node.GetActiveEffectName() == self.name, "the effect is not active"
        self.saveStateForUndo()
        assert logic.ResetModifierLabelmapToDefault()
        image = logic.GetModifierLabelmap()
        view = vtk_to_numpy(image.GetPointData().GetScalars())
        view.reshape(image.GetDimensions()[::-1])[:] = mask
        image.Modified()
        mode = logic.ModificationModeRemove if self.name in ("Erase", "Scissors") else logic.ModificationModeAdd
        segment = node.GetSelectedSegmentID()
        # Slicer's effects pass the box that they have changed, so that a stroke in a large CT is fast.
        box = bounding_box(np.asarray(mask))
        extent = [bound for part in reversed(box) for bound in (part.start, part.stop - 1)] if box else []
        logic.ModifySegmentByLabelmap(
            node.GetSegmentationNode(), segment, image, mode, extent or [0, -1, 0, -1, 0, -1], True, False
        )
