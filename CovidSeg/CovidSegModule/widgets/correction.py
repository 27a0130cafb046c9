"""The section "correction": Slicer's Segment Editor, set up to correct a result."""

from __future__ import annotations

from typing import Any

import qt
import slicer
import vtk
from slicer.i18n import tr as _

from ..logic.correction import EFFECTS, CorrectionLogic
from ..scene.observers import NodeObservers
from ..scene.review import History, Review
from .section import Section, SectionHost
from .shortcuts import REDO_KEYS, UNDO_KEYS, Shortcut, Shortcuts

#: Number of edits that can be undone.
UNDO_STATES = 20
EFFECT_COLUMNS = 6


class CorrectionSection(Section):
    """Let the user edit the infection and the lungs.

    Args:
        panel: The panel that the section is part of.
        logic: The logic of this section.

    Attributes:
        editor: Slicer's qMRMLSegmentEditorWidget.
        shortcuts: The shortcuts that this section adds to those of the Segment Editor.
    """

    name = "correction"
    title = _("Correction")

    def __init__(self, panel: SectionHost, logic: CorrectionLogic):
        Section.__init__(self, panel)
        self._node_observers = NodeObservers()
        self.logic = logic
        self.editor: Any = slicer.qMRMLSegmentEditorWidget()
        self._node: Any = None
        self._review: Review | None = None
        self._entered = self._installed = self._applying = False
        self.shortcuts = Shortcuts([Shortcut("E", _("Show or hide the tools"), lambda: self.ui.correctButton.click())])

    def setup(self) -> None:
        """Set up the Segment Editor and connect all signals."""
        editor = self.editor
        editor.setMaximumNumberOfUndoStates(UNDO_STATES)
        editor.segmentationNodeSelectorVisible = False
        editor.sourceVolumeNodeSelectorVisible = False
        editor.switchToSegmentationsButtonVisible = False
        editor.addRemoveSegmentButtonsVisible = False
        editor.show3DButtonVisible = False
        # The rules are set below. The editor's own section would allow to change the lungs by mistake.
        editor.maskingSectionVisible = False
        editor.unorderedEffectsVisible = False
        editor.setEffectNameOrder(list(EFFECTS))
        editor.effectColumnCount = EFFECT_COLUMNS
        # The parameter node is set before the scene, so that the editor does not select nodes by itself.
        self._take_node()
        editor.setMRMLScene(slicer.mrmlScene)
        self.ui.editorPanel.layout().addWidget(editor)
        self.ui.toolsPanel.visible = False
        editor.connect("segmentationNodeChanged(vtkMRMLSegmentationNode*)", self._on_segmentation_changed)
        self.ui.correctButton.connect("toggled(bool)", self.on_correct)
        self.ui.limitRangeBox.connect("toggled(bool)", self.on_limit_range)
        self.ui.correctLungsBox.connect("toggled(bool)", self.on_correct_lungs)
        for spin_box in (self.ui.lowSpinBox, self.ui.highSpinBox):
            spin_box.connect("valueChanged(int)", self.on_range)

    # --- what happens to the module and to the scene ---

    def enter(self) -> None:
        """Install the shortcuts."""
        self._entered = True
        self.shortcuts.install(self.widget)
        self.update()

    def exit(self) -> None:
        """Put the tool down, and remove all shortcuts."""
        self._entered = False
        self.shortcuts.remove()
        self._put_down()
        self._take_surfaces_off(False, force=True)

    def cleanup(self) -> None:
        """Stop everything."""
        self.exit()
        self._leave_review()
        self._node_observers.clear()
        self.editor.setSegmentationNode(None)
        # The widget lives on until Qt deletes it, and would select segments in the node of the reloaded module.
        self.editor.setMRMLSegmentEditorNode(None)
        self.editor.setMRMLScene(None)

    def scene_closing(self) -> None:
        """Take the editor off the nodes of the scene."""
        self._put_down()
        self._leave_review()
        self.editor.setSegmentationNode(None)
        if self._node is not None:
            self._node_observers.remove(self._node)
        self._node = None
        self.ui.correctButton.checked = False

    def scene_closed(self) -> None:
        """Take up the parameter node of the empty scene."""
        self._take_node()

    def update(self) -> None:
        """Show the rules, and edit the current result."""
        review = self.logic.review_of(self.parameters.result if self.parameters else None)
        self.ui.correctionPanel.visible = review is not None
        if slicer.mrmlScene.IsBatchProcessing() or slicer.mrmlScene.IsClosing():
            return
        self._take_node()
        # Loading a scene and removing nodes make the editor select other nodes.
        other = review is not None and (
            self.editor.segmentationNode() is not review.segmentation or self.editor.sourceVolumeNode() is not review.ct
        )
        if review is not self._review or other:
            self._leave_review()
            self._edit(review)
        self._take_surfaces_off(self._entered and self.ui.correctButton.checked)
        self._install_editor_shortcuts(self._entered and review is not None)
        self._show_rules()

    def masks_changed(self) -> None:
        """Show whether infection lies outside the lungs."""
        if self._review is not None:
            self._review.surfaces.note_change()
        self._take_surfaces_off(self._entered and self.ui.correctButton.checked)
        self._show_outside()

    # --- what the user does ---

    def on_correct(self, shown: bool = False) -> None:
        """Show or hide the tools."""
        self.ui.toolsPanel.visible = shown
        self._take_surfaces_off(shown)
        if shown:
            self.update()
            if self._node.GetActiveEffectName() in (None, ""):
                self.editor.setActiveEffectByName(EFFECTS[0])
        else:
            self.editor.setActiveEffect(None)

    def on_limit_range(self, limit: bool = True) -> None:
        """Limit what can be added to the range of HU, or not."""
        self.logic.limit_range(self._node, limit)

    def on_correct_lungs(self, lungs: bool = False) -> None:
        """Edit the lungs, or the infection again."""
        self.logic.correct_lungs(self._node, lungs)

    def on_range(self, _value: int = 0) -> None:
        """Set the range of HU that can be added."""
        self.logic.set_range(self._node, self.ui.lowSpinBox.value, self.ui.highSpinBox.value)

    # --- how ---

    def _take_node(self) -> None:
        """Use the parameter node of the current scene. Closing or loading a scene may replace it."""
        node = self.logic.editor_node()
        if node is self._node:
            return
        if self._node is not None:
            self._node_observers.remove(self._node)
        self._node = node
        self.editor.setMRMLSegmentEditorNode(node)
        self._node_observers.add(node, vtk.vtkCommand.ModifiedEvent, self._on_node_modified)

    def _edit(self, review: Review | None) -> None:
        """Edit a result. The editor's history is that of all sections from now on."""
        self._review = review
        if review is None:
            self.editor.setSegmentationNode(None)
            return
        self.editor.setSegmentationNode(review.segmentation)
        self.editor.setSourceVolumeNode(review.ct)
        self.logic.select(self._node, review)
        review.editor = self.editor
        review.surfaces.restore()

    def _on_segmentation_changed(self, segmentation: Any = None) -> None:
        """Select the infection. The editor selects the first segment of a new segmentation, also after loading."""
        if self._review is not None and segmentation is self._review.segmentation:
            self.logic.select(self._node, self._review)

    def _leave_review(self) -> None:
        """Give the result that was edited a history of its own again."""
        self._take_surfaces_off(False, force=True)
        if self._review is not None and self._review.editor is self.editor:
            self._review.editor = History(self._review.segmentation)
        self._review = None
        self.logic.leave()

    def _take_surfaces_off(self, off: bool, *, force: bool = False) -> None:
        """Take the surfaces off the segments, so that tools are fast, or give them back."""
        if self._review is not None:
            surfaces = self._review.surfaces
            surfaces.take_off() if off else surfaces.put_on(force=force)

    def _put_down(self) -> None:
        self.editor.setActiveEffect(None)
        self._install_editor_shortcuts(False)
        self.editor.removeViewObservations()

    def _install_editor_shortcuts(self, install: bool) -> None:
        """Install or remove the shortcuts of the editor. Without a result, they would edit another segmentation."""
        if install and not self._installed:
            parent = slicer.util.mainWindow() or self.widget.window()
            known = set(parent.findChildren(qt.QShortcut))
            self.editor.installKeyboardShortcuts(parent)
            for shortcut in set(parent.findChildren(qt.QShortcut)) - known:
                # Two shortcuts with the same key would do nothing.
                shortcut.enabled = _key_of(shortcut) not in (*UNDO_KEYS, *REDO_KEYS)
        elif self._installed and not install:
            self.editor.uninstallKeyboardShortcuts()
        self._installed = install

    def _on_node_modified(self, _caller: Any = None, _event: Any = None) -> None:
        """Follow what the user selects in the editor: a lung, or an effect that removes voxels."""
        if self._applying or self._review is None:
            return
        self._applying = True
        try:
            self.logic.apply_rules(self._node)
            active = self._node.GetActiveEffectName()
            if active and not self.ui.correctButton.checked:
                self.ui.correctButton.checked = True  # a key has chosen an effect
            self._show_rules()
        finally:
            self._applying = False

    def _show_rules(self) -> None:
        if self._node is None or self._review is None:
            return
        lungs = self.logic.corrects_lungs(self._node)
        low, high = self._node.GetSourceVolumeIntensityMaskRange()
        widgets = (self.ui.limitRangeBox, self.ui.correctLungsBox, self.ui.lowSpinBox, self.ui.highSpinBox)
        for widget in widgets:
            widget.blockSignals(True)
        self.ui.rulesLabel.text = self.logic.rules(self._node)
        self.ui.limitRangeBox.checked = self.logic.limits_range(self._node)
        self.ui.correctLungsBox.checked = lungs
        self.ui.lowSpinBox.value, self.ui.highSpinBox.value = round(low), round(high)
        for widget in widgets:
            widget.blockSignals(False)
        for widget in (self.ui.limitRangeBox, self.ui.lowSpinBox, self.ui.highSpinBox):
            widget.enabled = not lungs
        self._show_outside()

    def _show_outside(self) -> None:
        ml = self.logic.outside_ml(self._review) if self._review and self.ui.toolsPanel.visible else 0.0
        self.ui.outsideLabel.visible = ml > 0
        text = _("{ml:.1f} ml of infection lie outside the lungs. They are kept, but do not count.")
        self.ui.outsideLabel.text = text.format(ml=ml)


def _key_of(shortcut: Any) -> str:
    """Return the key of a QShortcut as Qt writes it."""
    key = shortcut.key
    return str((key() if callable(key) else key).toString())
