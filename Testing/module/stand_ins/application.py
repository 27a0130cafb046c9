"""Starts as much of Slicer as there is: a scene with its logics and singletons, `slicer.app`, and the stand-ins."""

import sys
import tempfile
import types
from pathlib import Path

import slicer
import vtk
from PySide6 import QtCore, QtWidgets

from . import mrml_widgets, python_qt, scripted_module, segment_editor


class Application:
    """The part of `slicer.app` that the module and `slicer.util` use."""

    applicationName = "Slicer"
    slicerHome = ""

    def __init__(self, qt_application):
        self._qt_application = qt_application
        self._settings = QtCore.QSettings(str(Path(tempfile.mkdtemp()) / "settings.ini"), QtCore.QSettings.IniFormat)
        self.connections = []

    def testingEnabled(self):
        """Return True, as if Slicer was started with --testing. Dialogs are then answered with yes."""
        return True

    def processEvents(self):
        """Process pending events."""
        self._qt_application.processEvents()

    def topLevelWidgets(self):
        """Return all windows."""
        return self._qt_application.topLevelWidgets()

    def userSettings(self):
        """Return the settings of the user. They are strings when they are read."""
        return self._settings

    def connect(self, signal, receiver):
        """Remember a connection, such as that of "startupCompleted()"."""
        self.connections.append((signal, receiver))
        return True

    def layoutManager(self):
        """Return None, as if Slicer was started with --no-main-window."""
        return None


def start():
    """Make `slicer`, `qt` and the modules of Slicer importable as in Slicer. Call this once per process."""
    qt = python_qt.make_module()
    sys.modules["qt"] = qt
    qt_application = QtWidgets.QApplication.instance() or QtWidgets.QApplication([])
    qt_application.setStyle("Fusion")
    slicer.app = Application(qt_application)
    slicer.mrmlScene = make_scene()
    mrml_widgets.register()
    segment_editor.register()
    translation = types.ModuleType("slicer.i18n")
    translation.tr = lambda text: text
    translation.translate = lambda context, text: text
    sys.modules["slicer.i18n"] = slicer.i18n = translation
    sys.modules["slicer.ScriptedLoadableModule"] = slicer.ScriptedLoadableModule = scripted_module
    return slicer.app


def _remove_hierarchy_items(scene):
    """Remove the item of each node that is removed, as the application does."""

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def remove(_scene, _event, node):
        hierarchy = scene.GetFirstNodeByClass("vtkMRMLSubjectHierarchyNode")  # the other function creates it
        item = hierarchy.GetItemByDataNode(node) if hierarchy is not None and not scene.IsClosing() else 0
        if item:
            hierarchy.RemoveItem(item, False, False)

    scene.AddObserver(scene.NodeAboutToBeRemovedEvent, remove)


def make_scene():
    """Create a scene as the application does, with the logics for volumes, segmentations and subject hierarchy."""
    scene = slicer.vtkMRMLScene()
    logic = slicer.vtkSlicerApplicationLogic()
    logic.SetMRMLScene(scene)
    logic.GetColorLogic().SetMRMLScene(scene)
    logic.GetColorLogic().AddDefaultColorNodes()
    logic.SetSliceLogics(vtk.vtkCollection())
    logic.SetViewLogics(vtk.vtkCollection())
    slicer.modules = types.SimpleNamespace()
    for name, cls in (
        ("Volumes", slicer.vtkSlicerVolumesLogic),
        ("Segmentations", slicer.vtkSlicerSegmentationsModuleLogic),
        ("SubjectHierarchy", slicer.vtkSlicerSubjectHierarchyModuleLogic),
    ):
        module_logic = cls()
        module_logic.SetMRMLScene(scene)
        module_logic.SetMRMLApplicationLogic(logic)
        logic.SetModuleLogic(name, module_logic)
        setattr(slicer.modules, name.lower(), types.SimpleNamespace(logic=lambda it=module_logic: it))
    _remove_hierarchy_items(scene)
    # Reading a scene file needs the same data managers as in the application.
    remote = slicer.vtkMRMLRemoteIOLogic()
    remote.SetMRMLScene(scene)
    cache = tempfile.TemporaryDirectory()
    remote.GetCacheManager().SetRemoteCacheDirectory(cache.name)
    data = slicer.vtkDataIOManagerLogic()
    data.SetMRMLScene(scene)
    data.SetMRMLApplicationLogic(logic)
    data.SetAndObserveDataIOManager(remote.GetDataIOManager())
    remote.AddDataIOToScene()
    start.kept_alive = (logic, remote, data, cache)
    return scene
