"""CovidSeg, a 3D Slicer module: lungs and COVID-19 infection in chest CT at the press of a button.

The four classes that Slicer looks for. What they do stands in CovidSegModule, what is computed in CovidSegLib, which
runs in a process of its own.
"""

import importlib.util
import logging
import sys
import time
from pathlib import Path

import numpy as np
import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

# Installed, CovidSegLib lies beside this file; in a source tree it lies one folder up.
if importlib.util.find_spec("CovidSegLib") is None:
    sys.path.append(str(Path(__file__).resolve().parents[1]))

from CovidSegLib.errors import InputError
from CovidSegLib.models import find_model, installed
from CovidSegLib.volume import Grid
from CovidSegModule import scene, tables, words
from CovidSegModule.choices import Choices
from CovidSegModule.install import InstallError, SlicerInstaller, question
from CovidSegModule.run import Result, Run

HOMEPAGE = "https://github.com/covidseg/SlicerCovidSeg"
POLL_MILLISECONDS = 200


class CovidSeg(ScriptedLoadableModule):
    """Says to Slicer what the module is."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = "CovidSeg"
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = []
        parent.contributors = ["CovidSeg contributors"]
        parent.helpText = _(
            "Segments the lungs and COVID-19 infection in a chest CT and measures them. "
            "<b>For research. Not for diagnosis.</b> Everything is computed on this computer. "
            'See the <a href="{url}">documentation</a> and <a href="{url}/issues">report a problem</a>.'
        ).format(url=HOMEPAGE)
        parent.acknowledgementText = _(
            "Made by the CovidSeg contributors. Stands on PyTorch, MONAI, SimpleITK and 3D Slicer, and on the authors "
            'of the published networks that the <a href="{url}">documentation</a> names.'
        ).format(url=HOMEPAGE)


class CovidSegWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: choices in, progress while it runs, numbers out. All widgets are touched here and only here."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.run = None
        self._choices = None
        self._timer = None
        self._busy = False
        self._card = None

    def setup(self):
        """Build the panel when it is first opened."""
        ScriptedLoadableModuleWidget.setup(self)
        self.logic = CovidSegLogic()
        widget = slicer.util.loadUI(self.resourcePath("UI/CovidSeg.ui"))
        self.layout.addWidget(widget)
        self.ui = slicer.util.childWidgetVariables(widget)
        widget.setMRMLScene(slicer.mrmlScene)
        self._accent = self.ui.applyButton.styleSheet
        self._fillSelectors()

        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MILLISECONDS)
        self._timer.timeout.connect(self.onTick)
        self.ui.inputSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.onInputChanged)
        self.ui.modelSelector.connect("currentIndexChanged(int)", self.onModelChanged)
        self.ui.deviceSelector.connect("currentIndexChanged(int)", self.onDeviceChanged)
        self.ui.cardButton.connect("clicked(bool)", self.onCardButton)
        self.ui.applyButton.connect("clicked(bool)", self.onApplyButton)
        self.ui.show3DButton.connect("clicked(bool)", self.onShow3D)
        events = slicer.vtkMRMLScene
        self.addObserver(slicer.mrmlScene, events.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, events.EndCloseEvent, self.onSceneEndClose)
        for event in (events.EndImportEvent, events.NodeAddedEvent, events.NodeRemovedEvent):
            self.addObserver(slicer.mrmlScene, event, self.onSceneChanged)
        self._connectChoices()

    def cleanup(self):
        """End everything when the module is reloaded or the application quits."""
        if self.run:
            self.run.cancel()
            self.run = None
        if self._timer:
            self._timer.stop()
        self._choices = None
        self.removeObservers()

    def enter(self):
        """The user opened the module."""
        self._connectChoices()

    def onReload(self):
        """Developers: reload the files behind this one as well."""
        for name in [name for name in sys.modules if name.partition(".")[0] == "CovidSegModule"]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    # --- choices -----------------------------------------------------------------------------------------------------

    def _fillSelectors(self):
        for model in self.logic.models():
            self.ui.modelSelector.addItem(model.title, model.name)
            self.ui.modelSelector.setItemData(self.ui.modelSelector.count - 1, model.summary, qt.Qt.ToolTipRole)
        devices = {"auto": _("Automatic"), "cuda": _("Graphics card (GPU)"), "cpu": _("Processor (CPU)")}
        for name, title in devices.items():
            self.ui.deviceSelector.addItem(title, name)
        header = self.ui.resultsTable.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.Stretch)
        header.setSectionResizeMode(0, qt.QHeaderView.ResizeToContents)
        header.setDefaultAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
        header.setHighlightSections(False)

    def _connectChoices(self):
        if self._choices is None:
            self._choices = self.logic.choices()
            self.addObserver(self._choices.node, vtk.vtkCommand.ModifiedEvent, self.updatePanel)
        if self._choices.ct is None:
            self._choices.ct = scene.likely_ct()
        self.updatePanel()

    def _disconnectChoices(self):
        if self._choices is not None:
            self.removeObserver(self._choices.node, vtk.vtkCommand.ModifiedEvent, self.updatePanel)
            self._choices = None

    def onInputChanged(self, node=None):
        """The user selected a CT."""
        if self._choices:
            self._choices.ct = node

    def onModelChanged(self, index=-1):
        """The user selected a model."""
        if self._choices:
            self._choices.model = self.ui.modelSelector.itemData(index) or ""

    def onCardButton(self, _checked=False):
        """Show what the chosen model is for, how good it is and where it fails, beside the panel."""
        try:
            card = self.logic.card(self.ui.modelSelector.itemData(self.ui.modelSelector.currentIndex))
        except InputError as error:
            self._say(str(error), problem=True)
            return
        self._card = qt.QDialog(self.parent)
        self._card.setAttribute(qt.Qt.WA_DeleteOnClose)
        self._card.windowTitle = _("About this model")
        text = qt.QTextBrowser()
        text.setMarkdown(card)
        qt.QVBoxLayout(self._card).addWidget(text)
        self._card.resize(1100, 750)
        self._card.show()

    def onDeviceChanged(self, index=-1):
        """The user selected where to compute."""
        if self._choices:
            self._choices.device = self.ui.deviceSelector.itemData(index) or "auto"

    # --- the scene changes -------------------------------------------------------------------------------------------

    def onSceneStartClose(self, _caller=None, _event=None):
        """The scene is about to be emptied: end the run, forget its nodes."""
        if self.run:
            self.run.cancel()
            self._finishRun()
        self._disconnectChoices()

    def onSceneEndClose(self, _caller=None, _event=None):
        """The scene is empty: start afresh if the panel is visible, else when it is opened."""
        self._say("")
        if self.parent.isEntered:
            self._connectChoices()
        else:
            self.updatePanel()

    def onSceneChanged(self, _caller=None, _event=None):
        """Nodes came or went."""
        if slicer.mrmlScene.IsBatchProcessing() or self._choices is None:
            return
        if self.run:
            self.onTick()
        elif self.parent.isEntered:
            self._connectChoices()
        else:
            self.updatePanel()

    # --- the run -----------------------------------------------------------------------------------------------------

    def onApplyButton(self, _checked=False):
        """Segment; or, while it runs, cancel."""
        if self.run:
            self.run.cancel()
            self._finishRun(words.cancelled())
        elif self._packagesAreThere() and self._choices and self._choices.ct:
            self._say("")
            self._started = time.monotonic()
            model = self.ui.modelSelector.itemData(self.ui.modelSelector.currentIndex)
            self.run = self.logic.start(self._choices.ct, model, self._choices.device)
            self._timer.start()
            self.updatePanel()
            self.onTick()

    def _packagesAreThere(self):
        missing = self.logic.installer.missing()
        if not missing:
            return True
        # While Slicer is tested, it answers the question with yes; a test must not install.
        if slicer.app.testingEnabled() or not slicer.util.confirmOkCancelDisplay(question(missing), "CovidSeg"):
            self._say(_("Python packages are missing: {names}.").format(names=", ".join(missing)), problem=True)
            return False
        self._busy = True  # the application stays alive while pip works: the button must not be pressed again
        self._say(_("Installing Python packages; this takes some minutes."))
        self.updatePanel()
        try:
            self.logic.installer.install()
        except InstallError as error:
            self._say(str(error), problem=True)
            return False
        finally:
            self._busy = False
            self.updatePanel()
        return True

    def onTick(self):
        """See how the run is doing."""
        run = self.run
        if run is None or self._busy:
            return
        self._busy = True  # loading the result changes the scene, which leads back here
        try:
            with slicer.util.WaitCursor(show=run.loading):
                run.poll()
        finally:
            self._busy = False
        if run is not self.run:
            return  # Cancel was pressed, or the scene closed, in the very last moment
        if run.finished:
            self._finishRun(_("Done in {n} s.").format(n=round(time.monotonic() - self._started)))
        else:
            self.ui.stageLabel.text = run.stage
            self.ui.timeLabel.text = words.time_left(run.seconds_left)
            self.ui.progressBar.value = round(1000 * run.fraction)

    def _finishRun(self, message=""):
        run, self.run = self.run, None
        self._timer.stop()
        if run.broken_installation:
            self._busy = True
            self.updatePanel()
            self.logic.installer.find_broken()
            self._busy = False
            run.error = _("{error} Press the button again to install it anew.").format(error=run.error)
        if run.result and self._choices:
            self._choices.result = run.result.segmentation
            self._center3D()
        self._say(run.error or "\n".join([message, *("⚠ " + warning for warning in run.warnings)]), bool(run.error))
        self.updatePanel()

    # --- what is shown -----------------------------------------------------------------------------------------------

    def updatePanel(self, _caller=None, _event=None):
        """Make all widgets show what is chosen, what is being done and what was found."""
        ct = self._choices.ct if self._choices else None
        running = self.run is not None
        reason = self._reasonNotToRun(ct)
        self._showChoices(ct)
        self.ui.applyButton.text = _("Cancel") if running else _("Segment infection")
        self.ui.applyButton.setStyleSheet("" if running else self._accent)
        self.ui.cardButton.enabled = self.ui.modelSelector.count > 0
        self.ui.applyButton.enabled = running or (not reason and not self._busy)
        self.ui.applyButton.toolTip = (
            _("Stop. The scene stays as it was before you pressed the button.")
            if running
            else reason or _("Find lungs and infection in the selected CT, as a new segmentation beside it.")
        )
        for selector in (self.ui.inputSelector, self.ui.modelSelector, self.ui.deviceSelector):
            selector.enabled = not running and not self._busy
        self.ui.progressPanel.visible = running
        self._showResult(self._choices.result if self._choices else None)

    def _showChoices(self, ct):
        for selector in (self.ui.inputSelector, self.ui.modelSelector, self.ui.deviceSelector):
            selector.blockSignals(True)
        self.ui.inputSelector.setCurrentNode(ct)
        if self._choices:
            # A scene may name a model that is not on this computer: the first one is used then.
            model = self.ui.modelSelector.findData(self._choices.model)
            self.ui.modelSelector.setCurrentIndex(max(model, 0))
            self.ui.deviceSelector.setCurrentIndex(max(self.ui.deviceSelector.findData(self._choices.device), 0))
        self.ui.modelSelector.toolTip = self.ui.modelSelector.itemData(
            self.ui.modelSelector.currentIndex, qt.Qt.ToolTipRole
        ) or _("The network that segments.")
        for selector in (self.ui.inputSelector, self.ui.modelSelector, self.ui.deviceSelector):
            selector.blockSignals(False)

    def _reasonNotToRun(self, ct):
        if ct is None:
            return _("Select a chest CT first.")
        if self.ui.modelSelector.count == 0:
            return _("No model is installed. Install CovidSeg again.")
        return ""

    def _showResult(self, segmentation):
        table = tables.table_of(segmentation)
        rows = tables.read_rows(table) if table else []
        self.ui.resultsPanel.visible = bool(rows)
        if not rows:
            return
        self.ui.headlineLabel.text = words.headline(rows)
        self.ui.resultLabel.text = segmentation.GetName()
        self.ui.resultsTable.setRowCount(len(rows))
        for row, texts in enumerate(words.cells(rows)):
            for column, text in enumerate(texts):
                item = qt.QTableWidgetItem(text)
                side = qt.Qt.AlignRight if column else qt.Qt.AlignLeft
                item.setTextAlignment(side | qt.Qt.AlignVCenter)
                font = item.font()
                font.setBold(row == len(rows) - 1)
                item.setFont(font)
                self.ui.resultsTable.setItem(row, column, item)
        in_3d = scene.is_in_3d(segmentation)
        self.ui.show3DButton.checked = in_3d
        self.ui.show3DButton.text = _("Hide 3D") if in_3d else _("Show 3D")

    def onShow3D(self, visible=False):
        """Show or hide the surfaces of the result."""
        if self._choices and self._choices.result:
            scene.show_in_3d(self._choices.result, visible)
            if visible:
                self._center3D()
            self.updatePanel()

    def _center3D(self):
        if slicer.app.layoutManager() is not None:
            slicer.util.resetThreeDViews()

    def _say(self, text, problem=False):
        self.ui.statusLabel.text = text
        self.ui.statusLabel.visible = bool(text)
        self.ui.statusLabel.setStyleSheet("color: #e03131;" if problem else "")


class CovidSegLogic(ScriptedLoadableModuleLogic):
    """Segments without the panel, for scripts and tests.

    Attributes:
        program: What the child process runs, None for CovidSegLib in Slicer's Python.
        installer: Knows of the Python packages that the child process needs.
    """

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        self.program = None
        self.installer = SlicerInstaller(idle=slicer.app.processEvents)

    def choices(self):
        """What is chosen in the panel, saved with the scene."""
        return Choices(self.getParameterNode())

    def models(self):
        """The installed models, each with name, title and summary; the first is the default."""
        try:
            return installed()
        except (OSError, ValueError, KeyError):
            logging.exception("CovidSeg: the installed models cannot be read")
            return []

    def card(self, name):
        """What is known of a model, as Markdown; raises InputError where it is not there any more."""
        from CovidSegLib.models.description import describe  # loads scipy

        return describe(find_model(name))

    def start(self, ct, model="", device="auto") -> Run:
        """Start to segment a CT; call `poll` of what is returned until it has `finished`."""
        run = Run(ct, model or "", device, program=self.program)
        run.start()
        return run

    def segment(self, ct, model="", device="auto") -> Result:
        """Segment a CT and wait for it.

        Args:
            ct: vtkMRMLScalarVolumeNode.
            model: Name of an installed model, empty for the default.
            device: "auto", "cuda" or "cpu".

        Returns:
            The nodes that were made: `segmentation` and `table`.

        Raises:
            RuntimeError: It did not work; the message says why.
        """
        run = self.start(ct, model, device)
        try:
            while not run.finished:
                run.poll()
                slicer.app.processEvents()
                time.sleep(0.05)
        finally:
            run.cancel()  # whatever was raised, no process stays; does nothing where it has finished
        if run.error:
            raise RuntimeError(run.error)
        for warning in run.warnings:
            logging.warning("CovidSeg: %s", warning)
        return run.result


class CovidSegTest(ScriptedLoadableModuleTest):
    """Self-test: a synthetic CT through the real child process. Run it with Reload and Test, or with CTest."""

    def setUp(self):
        """Start with an empty scene."""
        slicer.mrmlScene.Clear(False)
        self.logic = CovidSegLogic()

    def runTest(self):
        """Run all tests, each on an empty scene."""
        missing = self.missing_packages()
        if missing:
            self.delayDisplay(f"Skipped: install {', '.join(missing)} first, with the button of the panel.")
            return
        for test in (self.test_segment, self.test_cancel, self.test_unusable_input):
            self.setUp()
            self.delayDisplay(test.__doc__)
            test()
        self.delayDisplay("All tests passed.")

    @staticmethod
    def missing_packages():
        """The Python packages without which the child process cannot run."""
        return CovidSegLogic().installer.missing()

    def make_ct(self, hu=None):
        """A CT node of a synthetic chest on a coarse, oblique grid, moved by a transform; or of one value."""
        from CovidSegLib.phantom import make_phantom, oblique_grid

        grid = oblique_grid()
        grid = Grid(tuple(n // 4 for n in grid.shape), tuple(4 * s for s in grid.spacing), grid.origin, grid.direction)
        array = make_phantom(grid).volume.array if hu is None else np.full(grid.shape, hu, np.int16)
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Synthetic CT")
        slicer.util.updateVolumeFromArray(node, array)
        node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(grid.affine_ras))
        node.CreateDefaultDisplayNodes()
        matrix = vtk.vtkTransform()
        matrix.RotateWXYZ(20, 1, 1, 0)
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Position")
        transform.SetMatrixTransformToParent(matrix.GetMatrix())
        node.SetAndObserveTransformNodeID(transform.GetID())
        return node

    def test_segment(self):
        """Segmenting a synthetic chest."""
        ct = self.make_ct()
        result = self.logic.segment(ct, device="cpu")
        node = result.segmentation
        self.assertIs(node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()), ct)
        self.assertEqual(node.GetTransformNodeID(), ct.GetTransformNodeID())
        self.assertTrue(node.GetSegmentation().ContainsRepresentation("Closed surface"))
        shape = slicer.util.arrayFromVolume(ct).shape
        for segment_id in (*scene.LUNGS, scene.INFECTION):
            mask = slicer.util.arrayFromSegmentBinaryLabelmap(node, segment_id, ct)
            self.assertEqual(mask.shape, shape)
            term = vtk.reference("")
            self.assertTrue(node.GetSegmentation().GetSegment(segment_id).GetTag("TerminologyEntry", term))
            self.assertEqual(str(term).count("~"), 6)
            if segment_id in scene.LUNGS:
                self.assertGreater(mask.sum() * np.prod(ct.GetSpacing()) / 1000, 500, "ml of one lung")
        rows = tables.read_rows(result.table)
        self.assertEqual([row.region for row in rows], list(tables.REGIONS.values()))
        self.assertTrue(node.GetAttribute("CovidSeg.ModelSHA256"))

    def test_cancel(self):
        """Cancelling leaves the scene as it was."""
        ct = self.make_ct()
        before = scene.node_ids()
        run = self.logic.start(ct, device="cpu")
        for _i in range(5):
            run.poll()
            time.sleep(0.1)
        run.cancel()
        self.assertTrue(run.finished)
        self.assertIsNone(run.result)
        self.assertEqual(scene.node_ids(), before)

    def test_unusable_input(self):
        """Refusing what is no chest CT in words that help."""
        ct = self.make_ct(hu=0)
        before = scene.node_ids()
        with self.assertRaises(RuntimeError) as caught:
            self.logic.segment(ct, device="cpu")
        self.assertNotIn("Traceback", str(caught.exception))
        self.assertEqual(scene.node_ids(), before)
