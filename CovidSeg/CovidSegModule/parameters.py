"""The parameters of the module, stored in a parameter node and saved with the scene.

Slicer's parameterNodeWrapper is not used. It needs the values of a combo box when the class is defined and raises an
error for any other value. The installed models are known only at run time, and a scene may come from a computer with
other models.
"""

from __future__ import annotations

import slicer


class Parameters:
    """The selected CTs, model and device, and the result that is shown.

    The names of parameters and reference roles are stored in scenes and must not change.

    Args:
        node: The module's parameter node.
    """

    def __init__(self, node: slicer.vtkMRMLScriptedModuleNode):
        self.node = node

    @property
    def ct(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """The selected CT."""
        return self.node.GetNodeReference("InputVolume")

    @ct.setter
    def ct(self, node: slicer.vtkMRMLScalarVolumeNode | None) -> None:
        self.node.SetNodeReferenceID("InputVolume", node.GetID() if node else None)

    @property
    def result(self) -> slicer.vtkMRMLSegmentationNode | None:
        """The segmentation that the panel shows the numbers of."""
        return self.node.GetNodeReference("Result")

    @result.setter
    def result(self, node: slicer.vtkMRMLSegmentationNode | None) -> None:
        self.node.SetNodeReferenceID("Result", node.GetID() if node else None)

    @property
    def prior(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """The earlier CT that the result is compared with."""
        return self.node.GetNodeReference("Prior")

    @prior.setter
    def prior(self, node: slicer.vtkMRMLScalarVolumeNode | None) -> None:
        self.node.SetNodeReferenceID("Prior", node.GetID() if node else None)

    @property
    def days(self) -> int | None:
        """Days between the CTs as entered by the user; None if they were not entered."""
        text = self.node.GetParameter("DaysSincePrior")
        return int(text) if text else None

    @days.setter
    def days(self, days: int | None) -> None:
        self.node.SetParameter("DaysSincePrior", "" if days is None else str(days))

    @property
    def model(self) -> str:
        """Name of the selected model; empty for the first installed model."""
        return str(self.node.GetParameter("Model"))

    @model.setter
    def model(self, name: str) -> None:
        self.node.SetParameter("Model", name)

    @property
    def device(self) -> str:
        """The device to compute on: "auto", "cuda" or "cpu"."""
        return self.node.GetParameter("Device") or "auto"

    @device.setter
    def device(self, name: str) -> None:
        self.node.SetParameter("Device", name)

    @property
    def tissue_bounds(self) -> tuple[int, int, int] | None:
        """Bounds of ground glass and consolidation in HU: lowest, common, highest. None for the usual ones."""
        bounds = self.node.GetParameter("TissueBounds").split()
        return (int(bounds[0]), int(bounds[1]), int(bounds[2])) if len(bounds) == 3 else None

    @tissue_bounds.setter
    def tissue_bounds(self, bounds: tuple[int, int, int] | None) -> None:
        self.node.SetParameter("TissueBounds", " ".join(map(str, bounds or ())))
