"""The MRML widgets that the .ui files name, reduced to what the panel uses."""

import contextlib
import weakref

import slicer
from PySide6 import QtCore, QtWidgets

from .python_qt import custom_widget


@custom_widget
class qMRMLWidget(QtWidgets.QWidget):
    """Passes its scene on to the widgets in it."""

    mrmlSceneChanged = QtCore.Signal("vtkMRMLScene*")

    def __init__(self, parent=None):
        super().__init__(parent)
        self.isEntered = True

    def setMRMLScene(self, scene):
        # Replaces the connections in the .ui file, because PySide cannot send a VTK object through a typed signal.
        for child in self.findChildren(QtWidgets.QWidget):
            if hasattr(child, "setMRMLScene"):
                child.setMRMLScene(scene)


def _listing_property(kind, attribute):
    """Return a Qt property that .ui files can set, and that updates the list when it is set."""

    def write(widget, value):
        setattr(widget, attribute, value)
        widget._list()

    return QtCore.Property(kind, lambda widget: getattr(widget, attribute), write)


class SortFilterProxyModel:
    """What decides which nodes a combo box lists."""

    def __init__(self, widget):
        self._widget, self._hidden = widget, []

    @property
    def hiddenNodeIDs(self):
        return self._hidden

    @hiddenNodeIDs.setter
    def hiddenNodeIDs(self, node_ids):
        if list(node_ids) != self._hidden:
            self._hidden = list(node_ids)
            self._widget._list()


@custom_widget
class qMRMLNodeComboBox(QtWidgets.QComboBox):
    """Lists the nodes of given classes, and updates the list when the scene changes."""

    currentNodeChanged = QtCore.Signal(object)
    nodeTypes = _listing_property("QStringList", "_types")
    showChildNodeTypes = _listing_property(bool, "_subclasses")
    noneEnabled = _listing_property(bool, "_none")
    noneDisplay = _listing_property(str, "_display")
    addEnabled = _listing_property(bool, "_add")
    removeEnabled = _listing_property(bool, "_remove")

    def __init__(self, parent=None):
        self._types, self._subclasses, self._none, self._display = [], True, False, "None"
        self._add = self._remove = True  # entries of a menu that this widget does not have
        self._scene, self._tags, self._ids, self._last = None, [], [], ""
        self._proxy = SortFilterProxyModel(self)
        super().__init__(parent)
        self.currentIndexChanged.connect(self._notify)

    @QtCore.Slot("vtkMRMLScene*")
    def setMRMLScene(self, scene):
        if scene is not self._scene:  # the widgets around this one all pass it on
            self.stop_observing()
            self._scene = scene
            if scene is not None:
                self._observe(scene)
        self._list()

    def _observe(self, scene):
        widget = weakref.ref(self)

        def follow(*_):
            alive = widget()
            if alive is not None:
                with contextlib.suppress(RuntimeError):  # Qt may have deleted the widget already
                    alive._list()

        for event in (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndCloseEvent, scene.EndImportEvent):
            self._tags.append(scene.AddObserver(event, follow))

    def stop_observing(self):
        """Leave the scene. The stand-in stays in memory when a test ends; see `retire`."""
        while self._tags:
            self._scene.RemoveObserver(self._tags.pop())

    def _shows(self, node):
        if node.GetHideFromEditors() or node.GetID() in self._proxy.hiddenNodeIDs:
            return False
        return any(node.IsA(name) if self._subclasses else node.GetClassName() == name for name in self._types)

    def _list(self):
        selected, scene = self.currentNodeID, self._scene
        nodes = [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())] if scene is not None else []
        nodes = [node for node in nodes if self._shows(node)]
        blocked = self.blockSignals(True)
        self.clear()
        self._ids = [""] * self._none + [node.GetID() for node in nodes]
        self.addItems([self._display] * self._none + [node.GetName() for node in nodes])
        self.setCurrentIndex(self._ids.index(selected) if selected in self._ids else min(0, len(self._ids) - 1))
        self.blockSignals(blocked)
        self._notify()

    def _notify(self, *_):
        if self.currentNodeID != self._last:
            self._last = self.currentNodeID
            self.currentNodeChanged.emit(self.currentNode())

    @property
    def currentNodeID(self):
        index = self.currentIndex
        return self._ids[index] if 0 <= index < len(self._ids) else ""

    def sortFilterProxyModel(self):
        return self._proxy

    def currentNode(self):
        return self._scene.GetNodeByID(self.currentNodeID) if self._scene and self.currentNodeID else None

    def setCurrentNode(self, node):
        node_id = node.GetID() if node else ""
        self.setCurrentIndex(self._ids.index(node_id) if node_id in self._ids else -1)


def retire(widget):
    """Delete a widget, and detach the stand-ins in it from the scene.

    Qt deletes it only in the event loop of an application, so that the widgets of all tests stay. If they followed the
    scene, each test would be slower than the one before.
    """
    for child in widget.findChildren(QtWidgets.QWidget):
        if hasattr(child, "stop_observing"):
            child.stop_observing()
    widget.deleteLater()


def register():
    """Make the widgets attributes of `slicer`, as in Slicer."""
    slicer.qMRMLWidget = qMRMLWidget
    slicer.qMRMLNodeComboBox = qMRMLNodeComboBox
