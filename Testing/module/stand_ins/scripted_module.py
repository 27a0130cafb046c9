"""The base classes of scripted modules, `slicer.ScriptedLoadableModule`, reduced to what the module uses."""

import unittest
from pathlib import Path

import slicer
from PySide6 import QtWidgets

#: Path of the file of each module, which Slicer gets from its module manager.
module_paths = {}


class ScriptedLoadableModule:
    """Base class of module descriptions."""

    def __init__(self, parent):
        self.parent = parent
        self.moduleName = type(self).__name__


class ScriptedLoadableModuleWidget:
    """Base class of panels."""

    def __init__(self, parent=None):
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.parent = parent or slicer.qMRMLWidget()
        if self.parent.layout() is None:
            QtWidgets.QVBoxLayout(self.parent)
        self.layout = self.parent.layout()

    def setup(self):
        """For subclasses."""

    def onReload(self):
        """For subclasses."""

    def resourcePath(self, name):
        """Return the path of a file in the module's folder Resources."""
        return str(Path(module_paths[self.moduleName]).parent / "Resources" / name)


class ScriptedLoadableModuleLogic:
    """Base class of module logics."""

    def __init__(self, parent=None):
        self.moduleName = type(self).__name__.removesuffix("Logic")

    def getParameterNode(self):
        """Return the module's parameter node. Add it to the scene if necessary."""
        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
            node.UnRegister(None)
            node.SetSingletonTag(self.moduleName)
            node.SetName(slicer.mrmlScene.GenerateUniqueName(self.moduleName))
            node = slicer.mrmlScene.AddNode(node)
        node.SetAttribute("ModuleName", self.moduleName)
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """Base class of self-tests."""

    def runTest(self):
        """For subclasses."""

    def delayDisplay(self, message, msec=None):
        """Do nothing. Slicer shows the message for a moment."""
