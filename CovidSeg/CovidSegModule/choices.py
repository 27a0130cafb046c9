"""What the user chose in the panel, kept in a parameter node and so saved with the scene.

Slicer's parameterNodeWrapper is not used: it asks for the choices of a combo box when the class is written and raises
on any other value, but which models there are is known only at run time, and a scene may come from a computer that
had others.
"""

from __future__ import annotations

import slicer


class Choices:
    """The CT, model and device that are selected and the result that is shown.

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
        """The segmentation whose numbers are shown."""
        return self.node.GetNodeReference("Result")

    @result.setter
    def result(self, node: slicer.vtkMRMLSegmentationNode | None) -> None:
        self.node.SetNodeReferenceID("Result", node.GetID() if node else None)

    @property
    def model(self) -> str:
        """Name of the selected model, empty for the first one installed."""
        return self.node.GetParameter("Model")

    @model.setter
    def model(self, name: str) -> None:
        self.node.SetParameter("Model", name)

    @property
    def device(self) -> str:
        """ "auto", "cuda" or "cpu"."""
        return self.node.GetParameter("Device") or "auto"

    @device.setter
    def device(self, name: str) -> None:
        self.node.SetParameter("Device", name)
