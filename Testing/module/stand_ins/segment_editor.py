"""qMRMLSegmentEditorWidget of Slicer 5.10, reduced to what the module uses.

Undo, masking and everything that changes a segmentation is Slicer's own vtkSlicerSegmentEditorLogic. The rest follows
qMRMLSegmentEditorWidget.cxx, also where it is surprising: a new segmentation selects its first segment and drops the
tool, and after a scene was loaded the node that the combo box shows is taken. What Slicer declares as a property, a
slot or an invocable method can be used from Python. Nothing else can, and this class does not have it.
"""

import contextlib
import weakref

import slicer
from PySide6 import QtCore, QtGui, QtWidgets

from .editor_effects import EFFECTS, Effect
from .mrml_widgets import qMRMLNodeComboBox, qMRMLWidget
from .python_qt import custom_widget


@custom_widget
class qMRMLSegmentEditorWidget(qMRMLWidget):
    """Edits a segment of a segmentation."""

    currentSegmentIDChanged = QtCore.Signal(str)
    segmentationNodeChanged = QtCore.Signal(object)
    sourceVolumeNodeChanged = QtCore.Signal(object)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._logic = slicer.vtkSlicerSegmentEditorLogic()
        self._node = self._segmentation = self._source = self._scene = None
        self._effects = {name: Effect(name, self._logic) for name in EFFECTS}
        self._active = self._last_active = None
        self._order, self._unordered, self._columns = [], True, 5
        self._masking, self._updating = True, False
        self._observations, self._key_shortcuts = [], []
        self.viewsObserved = False  # not in Slicer: for tests
        self._make_widgets()
        self._observe(self._logic, self._logic.SegmentationHistoryChangedEvent, "_update_undo_buttons")

    # --- public: properties, invocable methods and slots ---

    segmentationNodeSelectorVisible = property(
        lambda self: self._segmentations.isVisibleTo(self), lambda self, on: self._show(on, self._segmentations)
    )
    sourceVolumeNodeSelectorVisible = property(
        lambda self: self._sources.isVisibleTo(self), lambda self, on: self._show(on, self._sources)
    )
    addRemoveSegmentButtonsVisible = property(
        lambda self: self._add.isVisibleTo(self), lambda self, on: self._show(on, self._add, self._remove)
    )
    show3DButtonVisible = property(
        lambda self: self._show3d.isVisibleTo(self), lambda self, on: self._show(on, self._show3d)
    )
    switchToSegmentationsButtonVisible = property(
        lambda self: self._switch.isVisibleTo(self), lambda self, on: self._show(on, self._switch)
    )
    maskingSectionVisible = property(lambda self: self._masking, lambda self, on: setattr(self, "_masking", on))
    unorderedEffectsVisible = property(lambda self: self._unordered, lambda self, on: self._set("_unordered", on))
    effectColumnCount = property(lambda self: self._columns, lambda self, count: self._set("_columns", count))

    def setMaximumNumberOfUndoStates(self, count):
        self._logic.SetMaximumNumberOfUndoStates(count)

    def setEffectNameOrder(self, names):
        self._set("_order", list(names))

    def effectByName(self, name):
        return self._effects.get(name)

    def effectByIndex(self, index):
        return [None, *self._displayed()][index] if index <= len(self._displayed()) else None

    def activeEffect(self):
        return self._active

    def setActiveEffect(self, effect):
        if self._node is None:
            if effect is not None:
                raise RuntimeError("qMRMLSegmentEditorWidget::setActiveEffect: invalid parameter set node")
            return
        self._node.SetActiveEffectName(effect.name if effect else "")

    def setActiveEffectByName(self, name):
        self.setActiveEffect(self.effectByName(name))

    def setMRMLScene(self, scene):
        if scene is self._scene:
            return
        if self._scene is not None:
            self._forget(self._scene)
        self._scene = scene
        blocked = [(box, box.blockSignals(True)) for box in (self._segmentations, self._sources)]
        super().setMRMLScene(scene)
        for box, was in blocked:
            box.blockSignals(was)
        self._logic.SetMRMLScene(scene)
        self.updateWidgetFromMRML()
        if scene is not None:
            self._observe(scene, scene.EndCloseEvent, "_on_end_close")
            self._observe(scene, scene.EndBatchProcessEvent, "_on_end_batch")

    def setMRMLSegmentEditorNode(self, node):
        if node is self._node:
            return
        if self._node is not None:
            self._forget(self._node)
        self._node = node
        self._logic.SetSegmentEditorNode(node)
        if node is not None:
            self._observe(node, "ModifiedEvent", "updateWidgetFromMRML")
            self._set_defaults()
            self.updateWidgetFromMRML()

    def mrmlSegmentEditorNode(self):
        return self._node

    def setSegmentationNode(self, node):
        if self._logic.GetSegmentationNode() is node:
            return
        if self._node is None and node is not None:
            raise RuntimeError("vtkSlicerSegmentEditorLogic::SetSegmentationNode: set the segment editor node first")
        self._logic.SetSegmentationNode(node)
        self.setActiveEffect(None)

    def segmentationNode(self):
        return self._segmentations.currentNode()

    def setSourceVolumeNode(self, node):
        self._logic.SetSourceVolumeNode(node)

    def sourceVolumeNode(self):
        return self._sources.currentNode()

    def currentSegmentID(self):
        return self._logic.GetCurrentSegmentID()

    def setCurrentSegmentID(self, segment_id):
        if self._node is not None:
            self._node.SetSelectedSegmentID(segment_id)

    def saveStateForUndo(self):
        self._logic.SaveStateForUndo()

    def undo(self):
        self._logic.Undo()

    def redo(self):
        self._logic.Redo()

    def setupViewObservations(self):
        self.viewsObserved = True

    def removeViewObservations(self):
        self.viewsObserved = False

    def installKeyboardShortcuts(self, parent=None):
        self.uninstallKeyboardShortcuts()
        keys = {str(index % 10): lambda index=index: self._toggle(index) for index in range(1, 11)}
        keys |= {"Z": self.undo, "Ctrl+Z": self.undo, "Y": self.redo, "Ctrl+Y": self.redo, "Ctrl+Shift+Z": self.redo}
        keys |= {"Esc": lambda: self.setActiveEffect(None), "Space": lambda: self.setActiveEffect(self._last_active)}
        keys |= {"Q": lambda: self._logic.SelectPreviousSegment(True), "W": lambda: self._logic.SelectNextSegment(True)}
        keys |= {"I": self._logic.ToggleSourceVolumeIntensityMask}
        for key, action in keys.items():
            shortcut = QtGui.QShortcut(QtGui.QKeySequence(key), parent)
            shortcut.activated.connect(action)
            self._key_shortcuts.append(shortcut)

    def uninstallKeyboardShortcuts(self):
        for shortcut in self._key_shortcuts:
            shortcut.setParent(None)
            shortcut.deleteLater()
        self._key_shortcuts = []

    def updateWidgetFromMRML(self):
        scene = self._scene
        if scene is None or scene.IsClosing() or scene.IsBatchProcessing() or self._node is None or self._updating:
            return
        self._updating = True
        with slicer.util.NodeModify(self._node):
            self._update_from_segmentation()
            self._update_from_source()
            self._update_effects()
        self._updating = False
        self._update_table()
        self._update_undo_buttons()

    # --- private ---

    def _make_widgets(self):
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._segmentations, self._sources = qMRMLNodeComboBox(self), qMRMLNodeComboBox(self)
        self._segmentations.nodeTypes = ["vtkMRMLSegmentationNode"]
        self._sources.nodeTypes = ["vtkMRMLScalarVolumeNode"]
        self._sources.noneEnabled = True
        self._segmentations.currentNodeChanged.connect(self._on_segmentation_chosen)
        self._sources.currentNodeChanged.connect(self._on_source_chosen)
        self._add, self._remove, self._show3d, self._switch = (
            QtWidgets.QPushButton(text, self) for text in ("Add", "Remove", "Show 3D", "Segmentations...")
        )
        row = QtWidgets.QHBoxLayout()
        for button in (self._add, self._remove, self._show3d, self._switch):
            row.addWidget(button)
        self._table = QtWidgets.QTableWidget(0, 1, self)
        self._table.horizontalHeader().setVisible(False)
        self._table.horizontalHeader().setStretchLastSection(True)
        self._table.verticalHeader().setVisible(False)
        self._table.setFixedHeight(84)
        self._table.setSelectionBehavior(QtWidgets.QAbstractItemView.SelectRows)
        self._table.itemSelectionChanged.connect(self._on_segment_chosen)
        self._effects_box = QtWidgets.QFrame(self)
        QtWidgets.QGridLayout(self._effects_box)
        self._undo, self._redo = QtWidgets.QToolButton(self), QtWidgets.QToolButton(self)
        history = QtWidgets.QHBoxLayout()
        for button, text, action in ((self._undo, "Undo", self.undo), (self._redo, "Redo", self.redo)):
            button.setText(text)
            button.clicked.connect(action)
            history.addWidget(button)
        history.addStretch()
        self._options = QtWidgets.QLabel(self)
        for part in (self._segmentations, self._sources, row, self._table, self._effects_box, history, self._options):
            (layout.addLayout if isinstance(part, QtWidgets.QLayout) else layout.addWidget)(part)
        self._buttons = {}
        self._list_effects()

    def _displayed(self):
        ordered = [self._effects[name] for name in self._order if name in self._effects]
        return ordered + [effect for effect in self._effects.values() if self._unordered and effect not in ordered]

    def _list_effects(self):
        for button in self._buttons.values():
            button.setParent(None)
            button.deleteLater()
        self._buttons = {}
        for index, effect in enumerate([None, *self._displayed()]):
            button = QtWidgets.QToolButton(self._effects_box)
            button.setText((effect.name if effect else "None")[:5])  # in Slicer an icon
            button.setFixedSize(44, 32)
            button.setToolTip(effect.name if effect else "No editing")
            button.setCheckable(True)
            button.clicked.connect(lambda _checked=False, effect=effect: self.setActiveEffect(effect))
            self._effects_box.layout().addWidget(button, index // self._columns, index % self._columns)
            self._buttons[effect.name if effect else ""] = button

    def _set(self, name, value):
        setattr(self, name, value)
        self._list_effects()

    def _show(self, visible, *widgets):
        for widget in widgets:
            widget.setVisible(visible)

    def _toggle(self, index):
        effect = self.effectByIndex(index)
        self.setActiveEffect(None if effect is self._active else effect)

    def _set_defaults(self):
        with slicer.util.NodeModify(self._node):
            for name, value in (pair for defaults in EFFECTS.values() for pair in defaults.items()):
                if not self._node.GetAttribute(name):
                    self._node.SetAttribute(name, value)

    def _observe(self, target, event, method):
        widget = weakref.ref(self)

        def call(*_):
            alive = widget()
            if alive is not None:
                with contextlib.suppress(RuntimeError):  # Qt may have deleted the widget already
                    getattr(alive, method)()

        self._observations.append((target, target.AddObserver(event, call)))

    def stop_observing(self):
        """Leave the scene; see `mrml_widgets.retire`."""
        while self._observations:
            target, tag = self._observations.pop()
            target.RemoveObserver(tag)

    def _forget(self, target):
        for observed, tag in self._observations:
            if observed is target:
                target.RemoveObserver(tag)
        self._observations = [pair for pair in self._observations if pair[0] is not target]

    def _update_from_segmentation(self):
        node = self._logic.GetSegmentationNode()
        if node is not self._segmentations.currentNode():
            blocked = self._segmentations.blockSignals(True)
            self._segmentations.setCurrentNode(node)
            self._segmentations.blockSignals(blocked)
        if node is self._segmentation:
            return
        if self._segmentation is not None:
            self._forget(self._segmentation)
        self._segmentation = node
        if node is not None:
            self._observe(node, "ModifiedEvent", "updateWidgetFromMRML")
            self._sources.setCurrentNode(node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()))
            node.CreateDefaultDisplayNodes()
            if node.GetSegmentation().GetNumberOfSegments():
                self._logic.SelectFirstSegment(True)
        self.segmentationNodeChanged.emit(node)

    def _update_from_source(self):
        node = self._logic.GetSourceVolumeNode()
        if self._logic.GetSegmentationNode() is None or node is self._source:
            return
        self._source = node
        blocked = self._sources.blockSignals(True)
        self._sources.setCurrentNode(node)
        self._sources.blockSignals(blocked)
        self.sourceVolumeNodeChanged.emit(node)

    def _update_effects(self):
        self._effects_box.setEnabled(self._node.GetSourceVolumeNode() is not None)
        active = self.effectByName(self._node.GetActiveEffectName())
        if active is not self._active:
            if active:
                self.setupViewObservations()
            else:
                self.removeViewObservations()
            self._last_active, self._active = self._active, active
        self._options.setText(f"Options of {active.name}" if active else "")
        for name, button in self._buttons.items():
            button.setChecked(name == (active.name if active else ""))

    def _update_table(self):
        blocked = self._table.blockSignals(True)
        ids = self._logic.GetSegmentIDs() if self._logic.GetSegmentationNode() else []
        self._table.setRowCount(len(ids))
        for row, segment_id in enumerate(ids):
            segment = self._logic.GetSegmentation().GetSegment(segment_id)
            self._table.setItem(row, 0, QtWidgets.QTableWidgetItem(segment.GetName()))
            self._table.item(row, 0).setSelected(segment_id == self._node.GetSelectedSegmentID())
        self._table.blockSignals(blocked)

    def _update_undo_buttons(self):
        self._undo.setEnabled(self._logic.CanUndo())
        self._redo.setEnabled(self._logic.CanRedo())

    def _on_segment_chosen(self):
        ids = self._logic.GetSegmentIDs()
        chosen = [segment_id for row, segment_id in enumerate(ids) if self._table.item(row, 0).isSelected()]
        if chosen and chosen[0] != self._node.GetSelectedSegmentID():
            self._node.SetSelectedSegmentID(chosen[0])
            self.currentSegmentIDChanged.emit(chosen[0])

    def _on_segmentation_chosen(self, node):
        if self._scene is not None and not self._scene.IsBatchProcessing() and self._node is not None:
            self.setSegmentationNode(node)

    def _on_source_chosen(self, node):
        if self._scene is not None and not self._scene.IsBatchProcessing() and self._node is not None:
            self.setSourceVolumeNode(node)

    def _on_end_close(self):
        if self._node is not None:
            self._set_defaults()
        self.updateWidgetFromMRML()

    def _on_end_batch(self):
        if self._node is not None:
            if self._node.GetSegmentationNode() is not self._segmentations.currentNode():
                self.setSegmentationNode(self._segmentations.currentNode())
            if self._node.GetSourceVolumeNode() is not self._sources.currentNode():
                self.setSourceVolumeNode(self._sources.currentNode())
        self.updateWidgetFromMRML()


def register():
    """Make the widget an attribute of `slicer`, as in Slicer."""
    slicer.qMRMLSegmentEditorWidget = qMRMLSegmentEditorWidget
