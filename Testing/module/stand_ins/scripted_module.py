"""The base classes of scripted modules, `slicer.ScriptedLoadableModule`, as far as the module uses them."""

import unittest
from pathlib import Path

import slicer
from PySide6 import QtWidgets

#: Where the module's file is, which Slicer's module manager would know.
module_paths = {}


class ScriptedLoadableModule:
    """Base of the class that describes a module."""

    def __init__(self, parent):
        self.parent = parent
        self.moduleName = type(self).__name__


class ScriptedLoadableModuleWidget:
    """Base of a panel."""

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
        return str(Path(module_paths[self.moduleName]).parent / "Resources" / name)


class ScriptedLoadableModuleLogic:
    """Base of a logic."""

    def __init__(self, parent=None):
        self.moduleName = type(self).__name__.removesuffix("Logic")

    def getParameterNode(self):
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
    """Base of a self-test."""

    def runTest(self):
        """For subclasses."""

    def delayDisplay(self, message, msec=None):
        """Slicer shows the message for a moment."""
